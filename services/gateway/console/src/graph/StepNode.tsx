// A step in the graph: a button, so that keyboard and screen readers reach it.
import { VisuallyHidden } from "@mantine/core";
import { Handle, type Node, type NodeProps, Position } from "@xyflow/react";

import { lookOfStep } from "../parts/statuses";
import badge from "../parts/StatusBadge.module.css";
import classes from "./StepNode.module.css";

export type StepNodeData = {
  name: string;
  title: string;
  kind: string;
  /** Empty where the graph is shown without a run. */
  status: string;
  note: string;
  chosen: boolean;
  onChoose: ((name: string) => void) | undefined;
};

export type StepNodeType = Node<StepNodeData, "step">;

export function StepNode({ data }: NodeProps<StepNodeType>) {
  const look = lookOfStep(data.status);
  const Icon = look.icon;
  const name = data.status === "" ? `Step ${data.name}` : `Step ${data.name}: ${data.status}`;
  return (
    <>
      <Handle type="target" position={Position.Top} className={classes.handle} />
      <button
        type="button"
        className={`nodrag nopan ${classes.node}`}
        data-status={data.status || undefined}
        data-kind={data.kind}
        style={
          {
            "--status": `var(--mantine-color-${look.color}-filled)`,
            "--tint": `var(--mantine-color-${look.color}-light)`,
          } as React.CSSProperties
        }
        aria-pressed={data.onChoose === undefined ? undefined : data.chosen}
        onClick={() => data.onChoose?.(data.name)}
      >
        {data.status !== "" && (
          <Icon size={20} aria-hidden className={`${classes.icon} ${look.moving ? badge.moving : ""}`} />
        )}
        <VisuallyHidden>{name}, </VisuallyHidden>
        <span className={classes.words}>
          <span className={classes.title}>{data.title || data.name}</span>
          <span className={classes.note}>{data.note || data.kind}</span>
        </span>
      </button>
      <Handle type="source" position={Position.Bottom} className={classes.handle} />
    </>
  );
}
