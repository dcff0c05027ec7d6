// One WatchRun stream per run page: opened once, opened again when it breaks, closed when the run has ended.
import { useEffect, useState } from "react";

import { hasEnded } from "../parts/statuses";
import { isPassing } from "../problems/problem";
import { recorder } from "../session/clients";
import { apply, newest, NOTHING, type RunState } from "./state";

export interface Watched {
  state: RunState;
  /** "live": news comes by itself; "ended": there is none; "broken": it will be tried again. */
  connection: "connecting" | "live" | "ended" | "broken" | "refused";
  error: unknown;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
const START: Watched = { state: NOTHING, connection: "connecting", error: undefined };

export function useWatchedRun(workspace: string, runId: string): Watched {
  const [watched, setWatched] = useState(START);
  useEffect(() => {
    const abort = new AbortController();
    setWatched(START);
    void follow(workspace, runId, abort.signal, setWatched);
    return () => abort.abort();
  }, [workspace, runId]);
  return watched;
}

async function follow(
  workspace: string,
  runId: string,
  signal: AbortSignal,
  show: (watched: Watched) => void,
): Promise<void> {
  let state = NOTHING;
  let pause = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    try {
      for await (const message of recorder.watchRun(
        { workspace, runId, afterVersion: newest(state) },
        { signal },
      )) {
        state = apply(state, message);
        pause = FIRST_PAUSE_MS;
        show({ state, connection: "live", error: undefined });
      }
      if (state.run !== undefined && hasEnded(state.run.status)) {
        show({ state, connection: "ended", error: undefined });
        return;
      }
    } catch (error) {
      if (signal.aborted) return;
      const connection = isPassing(error) ? "broken" : "refused";
      show({ state, connection, error });
      if (connection === "refused") return;
    }
    await sleep(pause, signal);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = window.setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      window.clearTimeout(timer);
      resolve();
    });
  });
}
