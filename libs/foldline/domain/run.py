"""The state of a run: what its events fold to, and what can be asked of it. `evolve` makes it.

Everything in here is a value: states share structure and never change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Self

from msgspec import UNSET, Struct
from msgspec.structs import replace

from foldline.domain import dag
from foldline.domain import run_events as ev
from foldline.domain.artifacts import Artifact
from foldline.domain.check_kinds import COMPOSITE
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.failures import Failure
from foldline.domain.spec import WORK_KINDS, Json, Step
from foldline.domain.transitions import ACTIVE_STEP, FINAL_RUN, FINAL_STEP
from foldline.domain.vector import Vector


class AttemptState(Struct, frozen=True, kw_only=True):
    """One try at a step. Statuses: scheduled, running, succeeded, failed.

    Of a map, repeat or workflow step it has no executor: it is the runs inside it.
    """

    number: int
    status: str
    executor: str
    scheduled_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    failure: Failure | None = None
    seconds: float = 0.0
    max_rss_bytes: int = 0
    log_lines: int = 0
    reads: tuple[str, ...] = ()
    fraction: float = 0.0
    message: str = ""
    checkpoint: Artifact | None = None
    ignored: tuple[str, ...] = ()  # kinds of late reports that were recorded and changed nothing


class Children(Struct, frozen=True, kw_only=True):
    """The runs inside the newest attempt of a step, counted."""

    sizes: tuple[int, ...] = ()  # map: items of each child
    started: int = 0
    open: tuple[int, ...] = ()  # indices of those that have not ended
    completed: int = 0  # children that ended so
    succeeded: int = 0  # map: items; otherwise children
    failed: int = 0
    outputs: dict[int, dict[str, Artifact]] = {}  # of ended children by index; of a repeat the newest alone
    failure: Failure | None = None  # the first one


class StepState(Struct, frozen=True, kw_only=True):
    """Statuses: the keys of `transitions.STEP`."""

    name: str
    kind: str
    status: str = "waiting"
    open_needs: int = 0  # steps before this one that have not ended yet
    ready_at: datetime | None = None  # since when nothing before it is open
    due_at: datetime | None = None  # since when (or from when on) its next attempt may start
    attempts: tuple[AttemptState, ...] = ()
    forgiven: int = 0  # attempts from before it last began anew: they use up no retries
    children: Children | None = None
    outputs: dict[str, Artifact] = {}
    metrics: dict[str, float] = {}
    answer: bool | None = None  # of a condition step
    asked: tuple[str, ...] = ()  # delayed parameters that it waits for
    deadline: datetime | None = None  # of an open wait
    note: str = ""
    skipped_for: str = ""  # reason of StepSkipped
    failure: Failure | None = None
    retry_at: datetime | None = None
    reused_from: str = ""  # "run/step/attempt"
    reuse_key: str = ""  # set once reuse was looked for
    parameters: dict[str, Json] | None = None  # those it began with, where the run's have changed since
    is_confirmed: bool = False  # a person lets it run although it is unsafe
    is_abandoned: bool = False  # it had not ended when its run did
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_work(self) -> bool:
        """Does it run on an executor?"""
        return self.kind in WORK_KINDS

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE_STEP

    @property
    def is_final(self) -> bool:
        return self.status in FINAL_STEP

    @property
    def is_lost(self) -> bool:
        """Has it ended without success, by itself or since a step before it did?"""
        return self.status in ("failed", "stopped") or self.skipped_for == "failed"


class Steps(Vector[StepState]):
    """The steps of a run by place, and a bit each for those that are looked for all the time.

    `free` wait with nothing open before them. `timed` wait for their next attempt, or for an answer.
    `active` have an attempt or inner runs under way. In a long run these are few, and whoever looks for
    something to do looks at them alone.
    """

    __slots__ = ("active", "free", "timed")

    def __init__(self, items: Iterable[StepState] = ()) -> None:
        super().__init__(items)
        self.free = self.timed = self.active = 0
        for place, step in enumerate(self):
            self._mark(1 << place, step)

    def set(self, place: int, item: StepState) -> Self:
        changed = super().set(place, item)
        bit = 1 << place
        changed.free, changed.timed, changed.active = self.free & ~bit, self.timed & ~bit, self.active & ~bit
        changed._mark(bit, item)  # noqa: SLF001 - one of our own kind
        return changed

    def free_ones(self) -> Iterator[StepState]:
        """In the graph's order."""
        return self._of(self.free)

    def timed_ones(self) -> Iterator[StepState]:
        return self._of(self.timed)

    def active_ones(self) -> Iterator[StepState]:
        return self._of(self.active)

    def loose_ones(self) -> Iterator[StepState]:
        """Those that may move by themselves: free and timed ones."""
        return self._of(self.free | self.timed)

    def _mark(self, bit: int, step: StepState) -> None:
        if step.status == "waiting":
            if not step.open_needs:
                self.free |= bit
        elif step.status in _TIMED:
            self.timed |= bit
        elif step.is_active:
            self.active |= bit

    def _of(self, bits: int) -> Iterator[StepState]:
        while bits:
            lowest = bits & -bits
            yield self[lowest.bit_length() - 1]
            bits ^= lowest


_TIMED = frozenset({"retrying", "awaiting"})


class RunState(Struct, frozen=True, kw_only=True):
    """Statuses: the keys of `transitions.RUN`. `version` counts the events folded."""

    created: ev.RunCreated
    plan: dag.Plan
    created_at: datetime
    steps: Steps
    parameters: dict[str, Json]  # those of RunCreated, and what was provided since
    inputs: dict[str, Artifact]  # parameters that are artifacts
    selected: frozenset[str] = frozenset()  # steps that run; empty means all
    version: int = 1
    status: str = "created"
    open_steps: int = 0  # steps that have not ended yet; handlers count while the run is ending alone
    failed_units: frozenset[int] = (
        frozenset()
    )  # map's child: its items that failed or were stopped; otherwise {0} once a step failed
    failed_step: str = ""
    outcome: str = ""  # of the main part, once the run is ending
    forced: bool = False
    paused_by_parent: bool = False
    resumed_at: datetime | None = None
    failure: Failure | None = None
    outputs: dict[str, Artifact] = {}
    ended_at: datetime | None = None

    @property
    def is_final(self) -> bool:
        return self.status in FINAL_RUN

    @property
    def active_steps(self) -> int:
        """How many steps have an attempt or inner runs under way."""
        return self.steps.active.bit_count()

    @property
    def is_part(self) -> bool:
        """Is it a run inside a step of another?"""
        return self.created.parent is not UNSET

    @property
    def takes_work(self) -> bool:
        """May anything new be started?"""
        if self.status == "ending":
            return not self.forced
        return self.status in ("created", "running") and not self.is_broken

    @property
    def is_broken(self) -> bool:
        """Has so much failed that nothing new is started?"""
        return is_more_than_borne(self, self.failed_units)

    @property
    def has_failed(self) -> bool:
        """Will it fail once nothing of it can move any more?"""
        return self.is_broken or (bool(self.failed_units) and not self.created.items)

    @property
    def first_failure(self) -> Failure | None:
        """Why it fails, or why the first of its items did; None where nothing failed."""
        if self.failure is not None or not self.failed_step:
            return self.failure
        message = f"step {self.failed_step} was stopped by hand"
        stopped = Failure(kind="stopped", reason="STEP_STOPPED", message=message)
        return self.step(self.failed_step).failure or stopped

    @property
    def unit_size(self) -> int:
        """Steps of one item in a map's child, of the whole run otherwise."""
        return len(self.created.graph.steps) if self.created.items else len(self.steps)

    def step(self, name: str) -> StepState:
        """Raises FoldlineError(NOT_FOUND) naming the steps there are."""
        return self.steps[self.place(name)]

    def place(self, name: str) -> int:
        place = self.plan.index.get(name)
        if place is None:
            names = ", ".join(list(self.plan.index)[:50])
            raise FoldlineError(
                Kind.NOT_FOUND,
                "UNKNOWN_STEP",
                f"run {self.created.run_id} has no step {name}; it has {names}",
            )
        return place

    def is_selected(self, name: str) -> bool:
        """Is it to run? Not where the run is of other steps, or its outputs were given beforehand."""
        return name not in self.created.given and (not self.selected or name in self.selected)

    def is_in_play(self, step: StepState) -> bool:
        """Is it the step's part of the run that is on: main part, or handlers?"""
        return bool(self.plan.step(step.name).handles) == (self.status == "ending")


def is_more_than_borne(state: RunState, failed_units: frozenset[int]) -> bool:
    """Does a run with so many failures start nothing more?"""
    if state.created.items:
        return len(failed_units) > state.created.tolerated
    return bool(failed_units) and state.created.graph.on_failure != "continue"


def counts_as_failed(state: RunState, step: StepState) -> bool:
    """Does the step make its run, or its item, fail? A handler never does."""
    if state.plan.step(step.name).handles:
        return False
    return step.status == "failed" or (bool(state.created.items) and step.status == "stopped")


def may_start(state: RunState) -> Iterator[tuple[Step, StepState]]:
    """Waiting steps before which nothing is open, as long as anything may start."""
    if not state.takes_work:
        return
    for step in state.steps.free_ones():
        if state.is_in_play(step):
            yield state.plan.step(step.name), step


def ready(state: RunState, now: datetime) -> tuple[str, ...]:
    """Steps whose next attempt may be given to an executor now, in the graph's order."""
    if not state.takes_work:
        return ()
    return tuple(step.name for step in state.steps.loose_ones() if is_ready(state, step, now))


def is_ready(state: RunState, step: StepState, now: datetime) -> bool:
    """Is it one of `ready`?"""
    return state.takes_work and step.is_work and is_due(state, step, now) and state.is_in_play(step)


def is_due(state: RunState, step: StepState, now: datetime) -> bool:
    """May the next attempt of the step start?"""
    if step.status == "waiting":
        return step.open_needs == 0 and not wants_recall(state, step)
    return step.status == "retrying" and step.retry_at is not None and step.retry_at <= now


def recallable(state: RunState) -> tuple[str, ...]:
    """Steps that wait for somebody to look for an equal earlier attempt (`commands.RecallSteps`)."""
    if not may_want_recall(state):
        return ()
    return tuple(step.name for _, step in may_start(state) if wants_recall(state, step))


def is_recallable(state: RunState, step: StepState) -> bool:
    """Is it one of `recallable`?"""
    is_first = step.status == "waiting" and step.open_needs == 0 and state.is_in_play(step)
    return is_first and state.takes_work and wants_recall(state, step)


def expandable(state: RunState, now: datetime) -> tuple[str, ...]:
    """Steps with a body that somebody has to begin (`commands.ExpandSteps`): maps whose list is in the store,
    and whatever is tried again. The others begin by themselves.
    """
    if not state.takes_work or not state.plan.has_bodies:
        return ()
    return tuple(step.name for step in state.steps.loose_ones() if is_expandable(state, step, now))


def is_expandable(state: RunState, step: StepState, now: datetime) -> bool:
    """Is it one of `expandable`?"""
    is_one = step.kind in COMPOSITE and state.takes_work
    return is_one and is_due(state, step, now) and state.is_in_play(step)


def may_want_recall(state: RunState) -> bool:
    """Is there any step of the run that wants it?"""
    created = state.created
    return created.origin is not UNSET or (state.plan.has_cache and created.cache != "off")


def wants_recall(state: RunState, step: StepState) -> bool:
    """Is an equal earlier attempt to be looked for before the step may start?

    In a run that was made from an earlier one every step asks; otherwise those that declare `cache`.
    Conditions are answered anew. Handlers are about this run: they ask only if running again is unsafe.
    """
    if step.reuse_key or step.attempts or step.kind == "condition" or step.is_confirmed:
        return False
    declared, created = state.plan.step(step.name), state.created
    if created.origin is not UNSET:
        return not declared.handles or declared.effects == "unsafe"
    return declared.cache and created.cache != "off" and step.kind != "wait" and not declared.handles


def as_begun(state: RunState, name: str) -> RunState:
    """The run with the parameters that the step's newest attempt began with.

    A retry may bring other values; whatever had begun by then goes on with the old ones.
    """
    parameters = state.step(name).parameters
    return state if parameters is None else replace(state, parameters=parameters)
