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
  const add = (binding: Binding | undefined) => {
    if (binding?.source.case !== "output") return;
    const { step: from, name } = binding.source.value;
    data.set(from, (data.get(from) ?? new Set()).add(name));
  };
  Object.values(step.inputs).forEach(add);
  bindings(step.condition).forEach(add);
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

function bindings(expression: Expression | undefined): Binding[] {
  if (expression === undefined) return [];
  const sides = [expression.left, expression.right].filter((side) => side !== undefined);
  return [...sides, ...expression.terms.flatMap(bindings)];
}
