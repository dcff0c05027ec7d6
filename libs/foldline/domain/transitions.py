"""The legal moves, as data. `evolve` obeys these tables; docs/state-machine.md is printed from them.

Laws. An event that is not in the table for the current status is refused and changes nothing. A step in a
final status moves only when a person retries it, or the run it belongs to is opened again. A run in a
final status takes nothing but ReportIgnored and RunReopened.
"""

from __future__ import annotations

_ASIDE = {
    "StepFailed": "failed",
    "StepStopped": "stopped",
    "StepStopRequested": "stopping",
}
"""What may happen to a step that waits for something other than an executor."""

STEP: dict[str, dict[str, str]] = {
    "waiting": {
        "ParametersRequested": "asking",
        "ReuseDeclined": "waiting",
        "StepReused": "completed",
        "StepScheduled": "scheduled",
        "StepExpanded": "running",
        "WaitOpened": "awaiting",
        "ConditionDecided": "completed",
        "StepSkipped": "skipped",
        "StepHeld": "held",
        **_ASIDE,
    },
    # Parameters that were not given before the run are needed now.
    "asking": {"ParametersProvided": "waiting", **_ASIDE},
    # A wait step: a person or an event will answer.
    "awaiting": {
        "WaitAnswered": "completed",
        "WaitExpired": "awaiting",
        "StepSkipped": "skipped",
        **_ASIDE,
    },
    "scheduled": {
        "AttemptStarted": "running",
        "AttemptProgressed": "scheduled",
        "AttemptSucceeded": "completed",
        "AttemptFailed": "retrying",
        "StepStopRequested": "stopping",
    },
    # An attempt runs, or the runs inside a map, repeat or workflow step do.
    "running": {
        "AttemptProgressed": "running",
        "AttemptSucceeded": "completed",
        "AttemptFailed": "retrying",
        "ChildStarted": "running",
        "ChildEnded": "running",
        "StepStopRequested": "stopping",
    },
    # A person asked it to stop; what is active of it has still to end.
    "stopping": {
        "AttemptStarted": "stopping",
        "AttemptProgressed": "stopping",
        "AttemptSucceeded": "completed",
        "AttemptFailed": "retrying",
        "ChildEnded": "stopping",
        "StepStopped": "stopped",
    },
    # An attempt failed; what follows is decided in the same append, or the timer is running.
    "retrying": {
        "RetryScheduled": "retrying",
        "StepScheduled": "scheduled",
        "StepExpanded": "running",
        "StepHeld": "held",
        **_ASIDE,
    },
    # Nothing happens before a person retries or stops it.
    "held": {"StepRetried": "waiting", **_ASIDE},
    "completed": {},
    "failed": {"StepRetried": "waiting"},
    "skipped": {},
    "stopped": {"StepRetried": "waiting"},
}

_OPEN = {
    "RunPaused": "paused",
    "RunStopRequested": "stopping",
    "RunEnding": "ending",
    "RunCompleted": "completed",
    "RunFailed": "failed",
    "RunStopped": "stopped",
}

RUN: dict[str, dict[str, str]] = {
    "created": {"StepScheduled": "running", "StepExpanded": "running", **_OPEN},
    "running": _OPEN,
    # Nothing new is started; what runs goes on.
    "paused": {"RunResumed": "running", **{event: to for event, to in _OPEN.items() if event != "RunPaused"}},
    "stopping": {
        "RunStopRequested": "stopping",
        "RunEnding": "ending",
        "RunCompleted": "completed",
        "RunFailed": "failed",
        "RunStopped": "stopped",
    },
    # The main part has ended; handlers run.
    "ending": {
        "RunStopRequested": "ending",
        "RunCompleted": "completed",
        "RunFailed": "failed",
        "RunStopped": "stopped",
    },
    "completed": {},
    "failed": {"RunReopened": "running"},
    "stopped": {"RunReopened": "running"},
}

FINAL_STEP = frozenset({"completed", "failed", "skipped", "stopped"})
FINAL_RUN = frozenset({"completed", "failed", "stopped"})
ACTIVE_STEP = frozenset({"scheduled", "running", "stopping"})
"""Something of the step is under way: an attempt, or a run inside it."""
