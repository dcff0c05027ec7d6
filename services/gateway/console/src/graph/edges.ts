// What depends on what in a declared graph, for drawing it. Pure.
import type { Binding, Expression, Graph, Step } from "../api/foldline/api/workflow/v1/workflow_pb";

export interface Dependency {
  from: string;
  to: string;
  /** "data": a value flows; "after": order alone; "guard": a condition decides. */
  kind: "data" | "after" | "guard";
  /** Outputs that flow, or the branch of the condition. */
  label: string;
}

export function dependencies(graph: Graph): Dependency[] {
  return graph.steps.flatMap(intoStep);
}

function intoStep(step: Step): Dependency[] {
  const data = new Map<string, Set<string>>();
  const looked = [step.condition, step.skipWhen, step.repeat?.until].flatMap(bindings);
  for (const { step: from, name } of [...Object.values(step.inputs), ...looked].flatMap(references)) {
    if (from !== "") data.set(from, (data.get(from) ?? new Set()).add(name));
  }
  const found: Dependency[] = [...data].map(([from, names]) => ({
    from,
    to: step.name,
    kind: "data",
    label: [...names].join(", "),
  }));
  const guards = step.guards.map((guard) => ({
    from: guard.step,
    to: step.name,
    kind: "guard" as const,
    label: guard.branch ? "yes" : "no",
  }));
  const linked = new Set([...data.keys(), ...step.guards.map((guard) => guard.step)]);
  const after = step.after
    .filter((from) => !linked.has(from))
    .map((from) => ({ from, to: step.name, kind: "after" as const, label: "" }));
  return [...found, ...guards, ...after];
}

/** Outputs and metrics that a binding looks at; those of a step's own body name no step. */
function references({ source }: Binding): { step: string; name: string }[] {
  switch (source.case) {
    case "output":
    case "metric":
      return [source.value];
    case "merge":
      return source.value.outputs;
    default:
      return [];
  }
}

function bindings(expression: Expression | undefined): Binding[] {
  if (expression === undefined) return [];
  const sides = [expression.left, expression.right].filter((side) => side !== undefined);
  return [...sides, ...expression.terms.flatMap(bindings)];
}
