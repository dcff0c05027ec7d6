"""The legal moves, as data. `run.evolve` obeys these tables; docs/state-machine.md is printed from them.

Two laws. An event that is not in the table for the current status is refused and changes nothing. A final
status has no way out (only ReportIgnored may still be added to a run that has ended).
"""

from __future__ import annotations

STEP: dict[str, dict[str, str]] = {
    "waiting": {
        "StepScheduled": "scheduled",
        "ConditionDecided": "completed",
        "StepSkipped": "skipped",
        "StepFailed": "failed",
        "StepStopped": "stopped",
    },
    "scheduled": {
        "AttemptStarted": "running",
        "AttemptSucceeded": "completed",
        "AttemptFailed": "retrying",
    },
    "running": {
        "AttemptSucceeded": "completed",
        "AttemptFailed": "retrying",
    },
    # An attempt failed; what follows is decided in the same append, or the timer is running.
    "retrying": {
        "RetryScheduled": "retrying",
        "StepScheduled": "scheduled",
        "StepFailed": "failed",
        "StepStopped": "stopped",
    },
    "completed": {},
    "failed": {},
    "skipped": {},
    "stopped": {},
}

RUN: dict[str, dict[str, str]] = {
    "created": {
        "StepScheduled": "running",
        "RunStopRequested": "stopping",
        "RunCompleted": "completed",
        "RunFailed": "failed",
    },
    "running": {
        "RunStopRequested": "stopping",
        "RunCompleted": "completed",
        "RunFailed": "failed",
    },
    "stopping": {
        "RunCompleted": "completed",
        "RunFailed": "failed",
        "RunStopped": "stopped",
    },
    "completed": {},
    "failed": {},
    "stopped": {},
}

FINAL_STEP = frozenset(status for status, moves in STEP.items() if not moves)
FINAL_RUN = frozenset(status for status, moves in RUN.items() if not moves)
ACTIVE_STEP = frozenset({"scheduled", "running"})
