// The graph of a workflow, with the state of a run on it where there is one.
import { useComputedColorScheme } from "@mantine/core";
import { Controls, MarkerType, Position, ReactFlow } from "@xyflow/react";
import { useMemo } from "react";

import type { RunStep } from "../api/foldline/api/recorder/v1/recorder_service_pb";
import type { Graph } from "../api/foldline/api/workflow/v1/workflow_pb";
import { layout, type Line, NODE_HEIGHT, NODE_WIDTH } from "./layout";
import { StepEdge, type StepEdgeType } from "./StepEdge";
import { StepNode, type StepNodeType } from "./StepNode";
import classes from "./StepGraph.module.css";

interface Props {
  graph: Graph;
  steps?: ReadonlyMap<string, RunStep>;
  chosen?: string;
  onChoose?: (step: string) => void;
  height?: number;
  /** Shown as of an earlier event. */
  past?: boolean;
}

const NODE_TYPES = { step: StepNode };
const EDGE_TYPES = { step: StepEdge };
const NO_STEPS: ReadonlyMap<string, RunStep> = new Map();
// Sizes and handles are said, not measured: a node that is replaced while React Flow still measures it (a run
// that moves fast) would stay invisible.
const HANDLES: StepNodeType["handles"] = [
  { type: "target", position: Position.Top, x: NODE_WIDTH / 2, y: 0, width: 1, height: 1 },
  { type: "source", position: Position.Bottom, x: NODE_WIDTH / 2, y: NODE_HEIGHT, width: 1, height: 1 },
];
const DASHES = { data: undefined, guard: "6 4", after: "2 4" };

export function StepGraph({ graph, steps = NO_STEPS, chosen, onChoose, height = 460, past = false }: Props) {
  const scheme = useComputedColorScheme("light");
  const { places, lines } = useMemo(() => layout(graph), [graph]);
  const nodes = useMemo(
    () =>
      graph.steps.map((step) =>
        nodeOf(step, places.get(step.name), steps.get(step.name), chosen === step.name, onChoose),
      ),
    [graph, places, steps, chosen, onChoose],
  );
  const edges = useMemo(() => lines.map((line) => edgeOf(line, steps)), [lines, steps]);
  return (
    <div
      className={classes.frame}
      data-past={past || undefined}
      style={{ height }}
      role="group"
      aria-label="Graph of steps"
    >
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={NODE_TYPES}
        edgeTypes={EDGE_TYPES}
        colorMode={scheme}
        fitView
        fitViewOptions={{ padding: 0.12, maxZoom: 1.1 }}
        minZoom={0.1}
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        elementsSelectable={false}
        preventScrolling={false}
        zoomOnScroll={false}
        proOptions={{ hideAttribution: false }}
      >
        <Controls showInteractive={false} />
      </ReactFlow>
    </div>
  );
}

function nodeOf(
  step: Graph["steps"][number],
  position: { x: number; y: number } | undefined,
  state: RunStep | undefined,
  chosen: boolean,
  onChoose: ((step: string) => void) | undefined,
): StepNodeType {
  return {
    id: step.name,
    type: "step",
    position: position ?? { x: 0, y: 0 },
    width: NODE_WIDTH,
    height: NODE_HEIGHT,
    handles: HANDLES,
    data: {
      name: step.name,
      title: step.title,
      kind: step.kind,
      status: state?.status ?? "",
      note: noteOf(step.kind, state),
      chosen,
      onChoose,
    },
  };
}

function noteOf(kind: string, state: RunStep | undefined): string {
  if (state === undefined) return kind;
  const attempts = state.attempts.length > 1 ? `attempt ${state.attempts.length}` : "";
  return [state.status, attempts].filter((part) => part !== "").join(" · ");
}

function edgeOf(line: Line, steps: ReadonlyMap<string, RunStep>): StepEdgeType {
  return {
    id: line.id,
    type: "step",
    source: line.from,
    target: line.to,
    data: { points: line.points },
    label: line.kind === "guard" ? line.label : undefined,
    animated: line.kind === "data" && steps.get(line.to)?.status === "running",
    focusable: false,
    style: { strokeDasharray: DASHES[line.kind], strokeWidth: 1.6 },
    markerEnd: { type: MarkerType.ArrowClosed, width: 16, height: 16 },
  };
}
