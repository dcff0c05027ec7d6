// The log of one attempt, read as it grows.
import { useEffect, useState } from "react";

import type { LogLine } from "../api/foldline/api/recorder/v1/recorder_service_pb";
import { isPassing } from "../problems/problem";
import { recorder } from "../session/clients";

export interface FollowedLog {
  /** The newest ones, MOST_LINES at most. */
  lines: readonly LogLine[];
  /** Processes that write into this log together. */
  ranks: number;
  /** Which lines are missing, in words. */
  missing: string;
  /** More may come. */
  live: boolean;
  error: unknown;
}

/** A page is for reading; the whole log of a loud step can be downloaded. */
export const MOST_LINES = 20_000;

const START: FollowedLog = { lines: [], ranks: 1, missing: "", live: true, error: undefined };
const PAUSE_MS = 1_000;
const SHOW_EVERY_MS = 100;

export function useLog(workspace: string, runId: string, step: string, attempt: number): FollowedLog {
  const [log, setLog] = useState(START);
  useEffect(() => {
    const abort = new AbortController();
    setLog(START);
    void follow({ workspace, runId, step, attempt }, abort.signal, setLog);
    return () => abort.abort();
  }, [workspace, runId, step, attempt]);
  return log;
}

interface Place {
  workspace: string;
  runId: string;
  step: string;
  attempt: number;
}

async function follow(place: Place, signal: AbortSignal, show: (log: FollowedLog) => void): Promise<void> {
  const lines: LogLine[] = [];
  let [ranks, missing, shown] = [1, "", 0];
  let broken: unknown;
  while (!signal.aborted) {
    try {
      const afterLine = lines.at(-1)?.number ?? 0n;
      for await (const reply of recorder.readLog(
        { ...place, afterLine, follow: true, tail: MOST_LINES },
        { signal },
      )) {
        lines.push(...reply.lines);
        // Not at every line: cutting off the beginning moves all the rest.
        if (lines.length > 1.1 * MOST_LINES) lines.splice(0, lines.length - MOST_LINES);
        ranks = Math.max(ranks, reply.ranks);
        missing = reply.missing || missing;
        broken = undefined;
        // A chatty step must not make the page draw for every chunk.
        if (performance.now() - shown > SHOW_EVERY_MS) {
          shown = performance.now();
          show({ lines: [...lines], ranks, missing, live: true, error: undefined });
        }
      }
      show({ lines: [...lines], ranks, missing, live: false, error: undefined });
      return;
    } catch (error) {
      if (signal.aborted) return;
      broken = error;
    }
    show({ lines: [...lines], ranks, missing, live: isPassing(broken), error: broken });
    if (!isPassing(broken)) return;
    await new Promise((resolve) => window.setTimeout(resolve, PAUSE_MS));
  }
}
