// Where the steps of a graph stand and how its edges run. Pure; the same graph gives the same picture.
import dagre from "@dagrejs/dagre";

import type { Graph } from "../api/foldline/api/workflow/v1/workflow_pb";
import { dependencies, type Dependency } from "./edges";

export const NODE_WIDTH = 210;
export const NODE_HEIGHT = 58;

export interface Point {
  x: number;
  y: number;
}

export interface Line extends Dependency {
  id: string;
  /** From the border of one step to the border of the other, around the steps between. */
  points: Point[];
}

export interface Layout {
  places: ReadonlyMap<string, Point>;
  lines: Line[];
}

export function layout(graph: Graph): Layout {
  const drawing = new dagre.graphlib.Graph({ multigraph: true });
  drawing.setGraph({ rankdir: "TB", nodesep: 36, edgesep: 24, ranksep: 54, marginx: 8, marginy: 8 });
  for (const step of graph.steps) drawing.setNode(step.name, { width: NODE_WIDTH, height: NODE_HEIGHT });
  const known = dependencies(graph).filter((edge) => drawing.hasNode(edge.from));
  for (const edge of known) drawing.setEdge(edge.from, edge.to, {}, edge.kind);
  dagre.layout(drawing);
  return {
    places: new Map(graph.steps.map(({ name }) => [name, corner(drawing.node(name))])),
    lines: known.map((edge) => ({
      ...edge,
      id: `${edge.kind}:${edge.from}:${edge.to}`,
      points: drawing.edge({ v: edge.from, w: edge.to, name: edge.kind }).points ?? [],
    })),
  };
}

/** A smooth path through the points: straight at both ends, curved around the ones between. */
export function path(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (first === undefined) return "";
  const curves = rest.slice(0, -1).map((point, place) => {
    const next = rest[place + 1] ?? point;
    return `Q ${point.x},${point.y} ${(point.x + next.x) / 2},${(point.y + next.y) / 2}`;
  });
  const last = rest.at(-1) ?? first;
  return [`M ${first.x},${first.y}`, ...curves, `L ${last.x},${last.y}`].join(" ");
}

function corner({ x, y }: Point): Point {
  return { x: x - NODE_WIDTH / 2, y: y - NODE_HEIGHT / 2 };
}
