// Where the steps of a graph stand. Pure; the same graph gives the same picture.
import dagre from "@dagrejs/dagre";

import type { Graph } from "../api/foldline/api/workflow/v1/workflow_pb";
import { dependencies } from "./edges";

export const NODE_WIDTH = 210;
export const NODE_HEIGHT = 58;

export type Places = ReadonlyMap<string, { x: number; y: number }>;

export function places(graph: Graph): Places {
  const drawing = new dagre.graphlib.Graph();
  drawing.setGraph({ rankdir: "TB", nodesep: 36, ranksep: 54, marginx: 8, marginy: 8 });
  drawing.setDefaultEdgeLabel(() => ({}));
  for (const step of graph.steps) drawing.setNode(step.name, { width: NODE_WIDTH, height: NODE_HEIGHT });
  for (const edge of dependencies(graph)) {
    if (drawing.hasNode(edge.from)) drawing.setEdge(edge.from, edge.to);
  }
  dagre.layout(drawing);
  return new Map(
    graph.steps.map(({ name }) => {
      const { x, y } = drawing.node(name);
      return [name, { x: x - NODE_WIDTH / 2, y: y - NODE_HEIGHT / 2 }];
    }),
  );
}
