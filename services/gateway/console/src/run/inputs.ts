// Where each input of a step comes from and, as far as the record has it, its value. Pure.
import type { RunStep } from "../api/foldline/api/recorder/v1/recorder_service_pb";
import type { Binding, Step } from "../api/foldline/api/workflow/v1/workflow_pb";
import { shortDigest } from "../parts/digests";
import { inline, plain, type Plain } from "../parts/values";

type Steps = ReadonlyMap<string, RunStep>;

export function inputFacts(
  step: Step,
  parameters: Record<string, unknown>,
  steps: Steps,
): [string, string][] {
  return Object.entries(step.inputs).map(([name, binding]) => [name, describe(binding, parameters, steps)]);
}

function describe(binding: Binding, parameters: Record<string, unknown>, steps: Steps): string {
  const { source } = binding;
  switch (source.case) {
    case "value":
      return inline(plain(source.value));
    case "parameter":
      return `${inline(parameters[source.value])} (parameter ${source.value})`;
    case "output": {
      const { step, name, path } = source.value;
      const origin = [`${step}.${name}`, ...path].join(".");
      const artifact = steps.get(step)?.outputs[name];
      if (artifact === undefined) return `${origin} (not there yet)`;
      if (artifact.value === undefined) return `${origin}: ${artifact.type} ${shortDigest(artifact.digest)}`;
      return `${shorten(inline(follow(plain(artifact.value), path)))} (${origin})`;
    }
    case "merge":
      return `the one of ${source.value.outputs.map(({ step, name }) => `${step}.${name}`).join(", ")} that there is`;
    case "metric":
      return `metric ${source.value.name} of ${source.value.step}`;
    case "fact":
      return `the run's ${source.value}`;
    default:
      return "nothing";
  }
}

function follow(value: Plain | undefined, path: readonly string[]): Plain | undefined {
  return path.reduce<Plain | undefined>((inside, key) => {
    if (Array.isArray(inside)) return inside[Number(key)];
    return typeof inside === "object" && inside !== null ? inside[key] : undefined;
  }, value);
}

function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
