// What a page knows of a run, folded from the messages of its WatchRun stream. Pure.
import type { Run, RunStep, WatchRunResponse } from "../api/foldline/api/recorder/v1/recorder_service_pb";
import type { RecordedEvent } from "../api/foldline/api/event/v1/recorded_pb";

export interface RunState {
  run: Run | undefined;
  steps: ReadonlyMap<string, RunStep>;
  /** Oldest first, no version twice. */
  events: readonly RecordedEvent[];
}

export const NOTHING: RunState = { run: undefined, steps: new Map(), events: [] };

export function apply(state: RunState, message: WatchRunResponse): RunState {
  return {
    run: message.run ?? state.run,
    steps: message.steps.length === 0 ? state.steps : merged(state.steps, message.steps),
    events: appended(state.events, message.events),
  };
}

/** Version of the newest event seen. */
export function newest(state: RunState): bigint {
  return state.events.at(-1)?.version ?? 0n;
}

export function counts(steps: Iterable<RunStep>): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const step of steps) found.set(step.status, (found.get(step.status) ?? 0) + 1);
  return found;
}

export function byName(steps: readonly RunStep[]): ReadonlyMap<string, RunStep> {
  return new Map(steps.map((step) => [step.name, step]));
}

function merged(
  known: ReadonlyMap<string, RunStep>,
  changed: readonly RunStep[],
): ReadonlyMap<string, RunStep> {
  return new Map([...known, ...byName(changed)]);
}

/** A stream that was opened again may bring the last events once more. */
function appended(known: readonly RecordedEvent[], more: readonly RecordedEvent[]): readonly RecordedEvent[] {
  const last = known.at(-1)?.version ?? 0n;
  const fresh = more.filter((event) => event.version > last);
  return fresh.length === 0 ? known : [...known, ...fresh];
}
