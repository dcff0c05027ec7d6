// The statuses of runs and steps: colour, icon and meaning of each. Colour is never the only sign.
import {
  IconAlertTriangle,
  IconArrowForward,
  IconCheck,
  IconClockHour4,
  IconHandStop,
  IconHourglass,
  IconLoader2,
  IconPlayerPause,
  IconRotate2,
  IconSend,
  IconUserQuestion,
  IconX,
  type TablerIcon,
} from "@tabler/icons-react";

export interface StatusLook {
  color: string;
  icon: TablerIcon;
  meaning: string;
  moving?: boolean;
}

export const STEP_STATUSES: Record<string, StatusLook> = {
  waiting: { color: "gray", icon: IconClockHour4, meaning: "Waits for earlier steps" },
  scheduled: { color: "blue", icon: IconSend, meaning: "Given to an executor" },
  running: { color: "cyan", icon: IconLoader2, meaning: "Runs", moving: true },
  asking: { color: "grape", icon: IconUserQuestion, meaning: "Needs values" },
  awaiting: { color: "grape", icon: IconUserQuestion, meaning: "Waits for an answer or an event" },
  held: { color: "pink", icon: IconPlayerPause, meaning: "Held until a person decides" },
  stopping: { color: "orange", icon: IconHandStop, meaning: "Is being stopped" },
  retrying: { color: "orange", icon: IconRotate2, meaning: "Failed, is tried again" },
  completed: { color: "green", icon: IconCheck, meaning: "Done" },
  failed: { color: "red", icon: IconX, meaning: "Failed, no attempt left" },
  skipped: { color: "grape", icon: IconArrowForward, meaning: "Not needed" },
  stopped: { color: "yellow", icon: IconHandStop, meaning: "Stopped" },
};

const RUN_STATUSES: Record<string, StatusLook> = {
  created: { color: "gray", icon: IconHourglass, meaning: "Not started yet" },
  running: { color: "cyan", icon: IconLoader2, meaning: "Runs", moving: true },
  paused: { color: "yellow", icon: IconPlayerPause, meaning: "Nothing new is started" },
  stopping: { color: "orange", icon: IconHandStop, meaning: "Is being stopped" },
  ending: { color: "cyan", icon: IconLoader2, meaning: "Its handlers run", moving: true },
  completed: { color: "green", icon: IconCheck, meaning: "Every step is completed or skipped" },
  failed: { color: "red", icon: IconX, meaning: "A step failed" },
  stopped: { color: "yellow", icon: IconHandStop, meaning: "Stopped on request" },
};

const UNKNOWN: StatusLook = { color: "gray", icon: IconAlertTriangle, meaning: "Unknown to this console" };

const ENDED = new Set(["completed", "failed", "stopped"]);

export function lookOfStep(status: string): StatusLook {
  return STEP_STATUSES[status] ?? UNKNOWN;
}

export function lookOfRun(status: string): StatusLook {
  return RUN_STATUSES[status] ?? UNKNOWN;
}

/** No event will follow. */
export function hasEnded(status: string): boolean {
  return ENDED.has(status);
}
