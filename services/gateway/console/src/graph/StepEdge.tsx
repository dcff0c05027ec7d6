// An edge of the graph, drawn where the layout wants it.
import { BaseEdge, type Edge, type EdgeProps } from "@xyflow/react";

import { path, type Point } from "./layout";

export type StepEdgeType = Edge<{ points: Point[] }, "step">;

export function StepEdge({ id, data, label, style, markerEnd }: EdgeProps<StepEdgeType>) {
  const points = data?.points ?? [];
  const middle = points[Math.floor(points.length / 2)];
  return (
    <BaseEdge
      id={id}
      path={path(points)}
      label={label}
      labelX={middle?.x}
      labelY={middle?.y}
      style={style}
      markerEnd={markerEnd}
    />
  );
}
