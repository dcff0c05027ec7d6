"""The facts about a run. Mirrors of the messages in foldline.api.event.v1 (run_events.proto)."""

from __future__ import annotations

from datetime import datetime

import msgspec

from foldline.domain.artifacts import Artifact
from foldline.domain.failures import Failure
from foldline.domain.spec import Graph, Json


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of every event. Its class name is the event's type in the ledger and in the protos."""


class RunCreated(Event, frozen=True, kw_only=True):
    run_id: str
    workspace: str
    workflow: str
    release: str
    region: str
    graph: Graph
    parameters: dict[str, Json] = {}
    bundle: str = ""
    environment: str = ""


class ConditionDecided(Event, frozen=True, kw_only=True):
    step: str
    result: bool = False
    explanation: str = ""


class StepSkipped(Event, frozen=True, kw_only=True):
    step: str
    reason: str
    because: str = ""


class StepScheduled(Event, frozen=True, kw_only=True):
    step: str
    attempt: int
    executor: str


class AttemptStarted(Event, frozen=True, kw_only=True):
    step: str
    attempt: int
    executor: str


class AttemptSucceeded(Event, frozen=True, kw_only=True):
    step: str
    attempt: int
    outputs: dict[str, Artifact] = {}
    reads: tuple[str, ...] = ()
    seconds: float = 0.0
    max_rss_bytes: int = 0
    log_lines: int = 0


class AttemptFailed(Event, frozen=True, kw_only=True):
    step: str
    attempt: int
    failure: Failure
    seconds: float = 0.0
    max_rss_bytes: int = 0
    log_lines: int = 0


class RetryScheduled(Event, frozen=True, kw_only=True):
    step: str
    attempt: int
    at: datetime


class StepFailed(Event, frozen=True, kw_only=True):
    step: str
    failure: Failure


class StepStopped(Event, frozen=True, kw_only=True):
    step: str


class RunStopRequested(Event, frozen=True, kw_only=True):
    reason: str = ""


class RunCompleted(Event, frozen=True, kw_only=True):
    outputs: dict[str, Artifact] = {}


class RunFailed(Event, frozen=True, kw_only=True):
    step: str
    failure: Failure


class RunStopped(Event, frozen=True, kw_only=True):
    pass


class ReportIgnored(Event, frozen=True, kw_only=True):
    step: str
    attempt: int
    report: str
    reason: str = ""


RunEvent = (
    RunCreated
    | ConditionDecided
    | StepSkipped
    | StepScheduled
    | AttemptStarted
    | AttemptSucceeded
    | AttemptFailed
    | RetryScheduled
    | StepFailed
    | StepStopped
    | RunStopRequested
    | RunCompleted
    | RunFailed
    | RunStopped
    | ReportIgnored
)
