// What the run page shows: the run as it is, or as it was at an earlier event (ReplayRun).
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import type { Run, RunStep } from "../api/foldline/api/recorder/v1/recorder_service_pb";
import { recorder, until } from "../session/clients";
import { byName, newest, type RunState } from "./state";

export interface Shown {
  run: Run;
  steps: ReadonlyMap<string, RunStep>;
  /** Version asked for. */
  version: number;
  /** It is not the newest state. */
  past: boolean;
  error: unknown;
}

/** `version` undefined means the newest. Until a replay has arrived, what was shown before stays. */
export function useShownRun(workspace: string, live: RunState, version: number | undefined): Shown {
  const { run } = live;
  if (run === undefined) throw new Error("there is nothing to show before the first message");
  const replay = useQuery({
    queryKey: [workspace, "replay", run.runId, version],
    queryFn: ({ signal }) =>
      recorder.replayRun({ workspace, runId: run.runId, version: BigInt(version ?? 0) }, until(signal)),
    enabled: version !== undefined,
    placeholderData: keepPreviousData,
    staleTime: Infinity, // the past does not change
  });
  const past = version === undefined ? undefined : replay.data;
  const steps = useMemo(() => (past === undefined ? live.steps : byName(past.steps)), [past, live.steps]);
  return {
    run: past?.run ?? run,
    steps,
    version: version ?? Number(newest(live)),
    past: version !== undefined,
    error: version === undefined ? undefined : (replay.error ?? undefined),
  };
}
