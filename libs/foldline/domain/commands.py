"""What one may ask of a run. Imperative; `decide` answers with events or refuses."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from foldline.domain.relations import Reuse
from foldline.domain.run_events import ChildEnded, RunCreated
from foldline.domain.spec import Json
from foldline.domain.work import AttemptKey, Report


class CreateRun(Struct, frozen=True):
    """Open the run. The fact is complete already: the registry resolved it."""

    created: RunCreated


# -- what the platform asks ------------------------------------------------------------------------


class ScheduleSteps(Struct, frozen=True):
    """Give the next attempt of each step to an executor session. Steps that are not ready are left out."""

    assignments: tuple[tuple[str, str], ...]


class ReceiveReport(Struct, frozen=True):
    """An executor says what became of an attempt. `jitter` in [0, 1) spreads a retry's delay."""

    report: Report
    jitter: float = 0.5


class LoseAttempts(Struct, frozen=True):
    """The executor session is gone: every attempt it held is lost, but for those in `kept`.

    They have ended, and the process that took the session's place has their reports.
    """

    session: str
    jitter: float = 0.5
    kept: frozenset[AttemptKey] = frozenset()


class FireTimers(Struct, frozen=True):
    """Look at the clock: whatever is due by now happens. Retries are due by themselves (`run.ready`)."""


class Recall(Struct, frozen=True, kw_only=True):
    """The answer to whether an equal attempt is known: `reuse` is it."""

    step: str
    key: str
    reason: str
    reuse: Reuse | UnsetType = UNSET
    is_unsafe: bool = False  # it would run again although it is unsafe, and nobody allowed it


class RecallSteps(Struct, frozen=True):
    """For steps that are `run.recallable`; others are left out."""

    recalls: tuple[Recall, ...]


class Expansion(Struct, frozen=True, kw_only=True):
    """How a step with a body begins. Of a map: the items of each child, or why its list is none."""

    step: str
    sizes: tuple[int, ...] = ()
    reason: str = ""
    problem: str = ""


class ExpandSteps(Struct, frozen=True):
    """For steps that are `run.expandable`; others are left out."""

    expansions: tuple[Expansion, ...]


class ReceiveChild(Struct, frozen=True):
    """A run inside a step has ended."""

    ended: ChildEnded
    jitter: float = 0.5


# -- what people and programs ask ------------------------------------------------------------------


class RequestStop(Struct, frozen=True):
    reason: str = ""
    forced: bool = False


class StopStep(Struct, frozen=True):
    """Stop one step; the rest of the run goes on."""

    step: str
    reason: str = ""


class PauseRun(Struct, frozen=True):
    reason: str = ""
    by_parent: bool = False  # the word of the run that it is a part of, not of a person


class ResumeRun(Struct, frozen=True):
    by_parent: bool = False


class RetrySteps(Struct, frozen=True):
    """Let steps run once more that failed, are held or were stopped; no steps means all of these.

    `values` are parameters that count from now on.
    """

    steps: tuple[str, ...] = ()
    values: dict[str, Json] = {}
    reason: str = ""


class ProvideParameters(Struct, frozen=True):
    """Values of delayed parameters."""

    values: dict[str, Json]


class Answer(Struct, frozen=True, kw_only=True):
    """What a person says to a wait step; what is meant depends on its kind."""

    approved: bool | UnsetType = UNSET
    choice: str = ""
    values: dict[str, Json] = {}
    comment: str = ""


class AnswerWait(Struct, frozen=True):
    step: str
    answer: Answer
    by: str


class DeliverEvent(Struct, frozen=True):
    """An event from outside, for every wait step that waits for one of that name."""

    name: str
    data: Json = None
    by: str = ""


Command = (
    CreateRun
    | ScheduleSteps
    | ReceiveReport
    | LoseAttempts
    | FireTimers
    | RecallSteps
    | ExpandSteps
    | ReceiveChild
    | RequestStop
    | StopStep
    | PauseRun
    | ResumeRun
    | RetrySteps
    | ProvideParameters
    | AnswerWait
    | DeliverEvent
)
