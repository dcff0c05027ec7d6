"""The facts about a run. Mirrors of the messages in foldline.api.event.v1 (run_events.proto)."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from foldline.domain.artifacts import Artifact, Item
from foldline.domain.failures import Failure
from foldline.domain.relations import Origin, Parent, Reuse
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
    parent: Parent | UnsetType = UNSET
    items: tuple[Item, ...] = ()
    inputs: dict[str, Artifact] = {}
    origin: Origin | UnsetType = UNSET
    selection: tuple[str, ...] = ()
    given: dict[str, Reuse] = {}
    cache: str = ""
    priority: int = 0
    tolerated: int = 0
    causes: tuple[str, ...] = ()


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
    metrics: dict[str, float] = {}
    executor: str = ""


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
    forced: bool = False


class ParametersRequested(Event, frozen=True, kw_only=True):
    step: str
    parameters: tuple[str, ...] = ()


class ParametersProvided(Event, frozen=True, kw_only=True):
    values: dict[str, Json] = {}


class WaitOpened(Event, frozen=True, kw_only=True):
    step: str
    deadline: datetime | UnsetType = UNSET


class WaitAnswered(Event, frozen=True, kw_only=True):
    step: str
    outputs: dict[str, Artifact] = {}
    comment: str = ""


class WaitExpired(Event, frozen=True, kw_only=True):
    step: str
    action: str


class StepExpanded(Event, frozen=True, kw_only=True):
    step: str
    attempt: int
    sizes: tuple[int, ...] = ()


class ChildStarted(Event, frozen=True, kw_only=True):
    step: str
    attempt: int
    index: int = 0


class ChildEnded(Event, frozen=True, kw_only=True):
    step: str
    attempt: int
    index: int = 0
    status: str
    outputs: dict[str, Artifact] = {}
    failure: Failure | UnsetType = UNSET
    succeeded: int = 0
    failed: int = 0


class StepReused(Event, frozen=True, kw_only=True):
    step: str
    reuse: Reuse
    key: str = ""
    reason: str = ""


class ReuseDeclined(Event, frozen=True, kw_only=True):
    step: str
    key: str = ""
    reason: str = ""


class AttemptProgressed(Event, frozen=True, kw_only=True):
    step: str
    attempt: int
    fraction: float = 0.0
    message: str = ""
    checkpoint: Artifact | UnsetType = UNSET


class StepHeld(Event, frozen=True, kw_only=True):
    step: str
    failure: Failure


class StepStopRequested(Event, frozen=True, kw_only=True):
    step: str
    reason: str = ""


class StepRetried(Event, frozen=True, kw_only=True):
    step: str
    reason: str = ""


class RunPaused(Event, frozen=True, kw_only=True):
    reason: str = ""
    by_parent: bool = False


class RunResumed(Event, frozen=True, kw_only=True):
    pass


class RunReopened(Event, frozen=True, kw_only=True):
    reason: str = ""


class RunEnding(Event, frozen=True, kw_only=True):
    outcome: str
    step: str = ""
    failure: Failure | UnsetType = UNSET


class RunCompleted(Event, frozen=True, kw_only=True):
    outputs: dict[str, Artifact] = {}
    workflow: str = ""


class RunFailed(Event, frozen=True, kw_only=True):
    step: str
    failure: Failure
    workflow: str = ""


class RunStopped(Event, frozen=True, kw_only=True):
    workflow: str = ""


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
    | AttemptProgressed
    | AttemptSucceeded
    | AttemptFailed
    | RetryScheduled
    | StepFailed
    | StepStopped
    | StepHeld
    | StepStopRequested
    | StepRetried
    | StepReused
    | ReuseDeclined
    | StepExpanded
    | ChildStarted
    | ChildEnded
    | WaitOpened
    | WaitAnswered
    | WaitExpired
    | ParametersRequested
    | ParametersProvided
    | RunPaused
    | RunResumed
    | RunStopRequested
    | RunReopened
    | RunEnding
    | RunCompleted
    | RunFailed
    | RunStopped
    | ReportIgnored
)
