"""The state of a run as the fold of its events.

`evolve` is the only place that knows what an event does to a run; scheduler, local debugging, replay and
records all fold with it. It never refuses for reasons of policy (that is `decide`'s job), only what the
transition tables do not allow, since such a history cannot have been written by us.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, TypeVar, assert_never

from msgspec import Struct
from msgspec.structs import replace

from foldline.domain import dag
from foldline.domain import run_events as ev
from foldline.domain.artifacts import Artifact
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.failures import Failure
from foldline.domain.transitions import ACTIVE_STEP, FINAL_RUN, FINAL_STEP, RUN, STEP
from foldline.domain.vector import Vector

S = TypeVar("S", bound=Struct)


class AttemptState(Struct, frozen=True, kw_only=True):
    """One try at a step. Statuses: scheduled, running, succeeded, failed."""

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
    ignored: tuple[str, ...] = ()  # kinds of late reports that were recorded and changed nothing


class StepState(Struct, frozen=True, kw_only=True):
    """Statuses: the keys of `transitions.STEP`."""

    name: str
    kind: str
    status: str = "waiting"
    open_needs: int = 0  # steps before this one that have not ended yet
    attempts: tuple[AttemptState, ...] = ()
    outputs: dict[str, Artifact] = {}
    answer: bool | None = None  # of a condition step
    note: str = ""
    failure: Failure | None = None
    retry_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE_STEP


class RunState(Struct, frozen=True, kw_only=True):
    """Statuses: the keys of `transitions.RUN`. `version` counts the events folded."""

    created: ev.RunCreated
    plan: dag.Plan
    created_at: datetime
    steps: Vector[StepState]
    version: int = 1
    status: str = "created"
    open_steps: int = 0  # steps that have not ended yet
    active_steps: int = 0  # steps with an attempt scheduled or running
    failed_step: str = ""
    failure: Failure | None = None
    outputs: dict[str, Artifact] = {}
    ended_at: datetime | None = None

    @property
    def is_final(self) -> bool:
        return self.status in FINAL_RUN

    @property
    def takes_work(self) -> bool:
        """May new attempts be scheduled? Not once it is stopping or a step has failed for good."""
        return self.status in ("created", "running") and not self.failed_step

    def step(self, name: str) -> StepState:
        """Raises FoldlineError(NOT_FOUND) naming the steps there are."""
        place = self.plan.index.get(name)
        if place is None:
            names = ", ".join(self.plan.index)
            raise FoldlineError(
                Kind.NOT_FOUND,
                "UNKNOWN_STEP",
                f"run {self.created.run_id} has no step {name}; it has {names}",
            )
        return self.steps[place]


class IllegalTransition(FoldlineError):
    """The history contains an event that the tables do not allow here."""

    def __init__(self, what: str, status: str, event: str) -> None:
        super().__init__(
            Kind.INTERNAL, "ILLEGAL_TRANSITION", f"{what} is {status}: {event} cannot follow", event=event
        )


def fold(history: Iterable[tuple[ev.RunEvent, datetime]], state: RunState | None = None) -> RunState:
    """Fold events with their recorded times, oldest first, onto `state` or from the beginning."""
    for event, at in history:
        state = evolve(state, event, at)
    if state is None:
        raise FoldlineError(
            Kind.NOT_FOUND, "EMPTY_HISTORY", "a run begins with RunCreated; no event was given"
        )
    return state


def evolve(state: RunState | None, event: ev.RunEvent, at: datetime) -> RunState:
    """The state after `event`, recorded at `at`. Raises IllegalTransition; never changes `state`."""
    if state is None:
        if not isinstance(event, ev.RunCreated):
            raise IllegalTransition("a run without RunCreated", "nothing", type(event).__name__)
        return _initial(event, at)
    return _apply(replace(state, version=state.version + 1), event, at)


def ready(state: RunState, now: datetime) -> tuple[str, ...]:
    """Steps whose next attempt may be scheduled now, in the graph's order."""
    return tuple(step.name for step in _due(state, now)) if state.takes_work else ()


def next_timer(state: RunState) -> datetime | None:
    """When the earliest retry falls due; None when no timer runs."""
    times = [step.retry_at for step in state.steps if step.status == "retrying" and step.retry_at is not None]
    return min(times) if times and state.takes_work else None


def _due(state: RunState, now: datetime) -> Iterator[StepState]:
    for step in state.steps:
        if step.kind != "function":
            continue
        if step.status == "waiting" and step.open_needs == 0:
            yield step
        elif step.status == "retrying" and step.retry_at is not None and step.retry_at <= now:
            yield step


def _initial(event: ev.RunCreated, at: datetime) -> RunState:
    plan = dag.compile(event.graph)
    steps = Vector(
        StepState(name=step.name, kind=step.kind, open_needs=len(plan.needs[place]))
        for place, step in enumerate(plan.graph.steps)
    )
    return RunState(created=event, plan=plan, created_at=at, steps=steps, open_steps=len(steps))


def _apply(state: RunState, event: ev.RunEvent, at: datetime) -> RunState:  # noqa: C901  # one arm per event
    match event:
        case ev.RunCreated():
            raise IllegalTransition("the run", state.status, "RunCreated")
        case ev.StepScheduled():
            return _step_scheduled(state, event, at)
        case ev.AttemptStarted():
            step = _moved(state, event)
            attempt = replace(_current(step, event), status="running", started_at=at)
            return _put(state, replace(_with(step, attempt), started_at=step.started_at or at))
        case ev.AttemptSucceeded():
            return _attempt_succeeded(state, event, at)
        case ev.AttemptFailed():
            return _attempt_failed(state, event, at)
        case ev.RetryScheduled():
            note = f"attempt {event.attempt} from {event.at:%H:%M:%S} UTC"
            return _put(state, replace(_moved(state, event), retry_at=event.at, note=note))
        case ev.ConditionDecided():
            step = replace(_moved(state, event), answer=event.result, note=event.explanation, started_at=at)
            return _end_step(state, step, at)
        case ev.StepSkipped():
            note = f"{event.reason}: {event.because}"
            return _end_step(state, replace(_moved(state, event), note=note), at)
        case ev.StepFailed():
            step = replace(_moved(state, event), failure=event.failure, retry_at=None)
            state = replace(state, failed_step=state.failed_step or event.step)
            return _end_step(state, step, at)
        case ev.StepStopped():
            return _end_step(state, replace(_moved(state, event), retry_at=None), at)
        case ev.RunStopRequested():
            return _move_run(state, event)
        case ev.RunCompleted():
            return _end_run(replace(_move_run(state, event), outputs=event.outputs), at)
        case ev.RunFailed():
            return _end_run(
                replace(_move_run(state, event), failed_step=event.step, failure=event.failure), at
            )
        case ev.RunStopped():
            return _end_run(_move_run(state, event), at)
        case ev.ReportIgnored():
            return _report_ignored(state, event)
        case _:
            assert_never(event)


def _step_scheduled(state: RunState, event: ev.StepScheduled, at: datetime) -> RunState:
    step = _moved(state, event)
    if event.attempt != len(step.attempts) + 1:
        raise IllegalTransition(f"step {step.name}", f"at attempt {len(step.attempts)}", "StepScheduled")
    attempt = AttemptState(number=event.attempt, status="scheduled", executor=event.executor, scheduled_at=at)
    if state.status == "created":
        state = _move_run(state, event)
    step = replace(step, attempts=(*step.attempts, attempt), retry_at=None, note="")
    return _put(replace(state, active_steps=state.active_steps + 1), step)


def _attempt_succeeded(state: RunState, event: ev.AttemptSucceeded, at: datetime) -> RunState:
    step = _moved(state, event)
    attempt = replace(
        _current(step, event),
        status="succeeded",
        ended_at=at,
        seconds=event.seconds,
        max_rss_bytes=event.max_rss_bytes,
        log_lines=event.log_lines,
        reads=event.reads,
    )
    step = replace(_with(step, attempt), outputs=event.outputs)
    return _end_step(replace(state, active_steps=state.active_steps - 1), step, at)


def _attempt_failed(state: RunState, event: ev.AttemptFailed, at: datetime) -> RunState:
    step = _moved(state, event)
    attempt = replace(
        _current(step, event),
        status="failed",
        ended_at=at,
        failure=event.failure,
        seconds=event.seconds,
        max_rss_bytes=event.max_rss_bytes,
        log_lines=event.log_lines,
    )
    return _put(replace(state, active_steps=state.active_steps - 1), _with(step, attempt))


def _report_ignored(state: RunState, event: ev.ReportIgnored) -> RunState:
    step = state.step(event.step)
    attempts = tuple(
        replace(attempt, ignored=(*attempt.ignored, event.report))
        if attempt.number == event.attempt
        else attempt
        for attempt in step.attempts
    )
    return _put(state, replace(step, attempts=attempts))


def _moved(state: RunState, event: Any) -> StepState:
    """The event's step with its new status from the table."""
    step = state.step(event.step)
    name = type(event).__name__
    status = STEP[step.status].get(name)
    if status is None or state.is_final:
        raise IllegalTransition(f"step {step.name}", step.status, name)
    return replace(step, status=status)


def _move_run(state: RunState, event: ev.Event) -> RunState:
    name = type(event).__name__
    status = RUN[state.status].get(name)
    if status is None:
        raise IllegalTransition("the run", state.status, name)
    return replace(state, status=status)


def _current(step: StepState, event: Any) -> AttemptState:
    if not step.attempts or step.attempts[-1].number != event.attempt:
        raise IllegalTransition(
            f"step {step.name}", f"at attempt {len(step.attempts)}", f"{type(event).__name__} {event.attempt}"
        )
    return step.attempts[-1]


def _with(step: StepState, attempt: AttemptState) -> StepState:
    return replace(step, attempts=(*step.attempts[:-1], attempt))


def _put(state: RunState, step: StepState) -> RunState:
    return replace(state, steps=state.steps.set(state.plan.index[step.name], step))


def _end_step(state: RunState, step: StepState, at: datetime) -> RunState:
    """Put a step that has reached a final status, and tell the steps behind it."""
    place = state.plan.index[step.name]
    steps = state.steps.set(place, replace(step, ended_at=at))
    for other in state.plan.feeds[place]:
        steps = steps.set(other, replace(steps[other], open_needs=steps[other].open_needs - 1))
    return replace(state, steps=steps, open_steps=state.open_steps - 1)


def _end_run(state: RunState, at: datetime) -> RunState:
    """What has not ended by now never will: show it as stopped."""
    steps = state.steps
    for place, step in enumerate(state.steps):
        if step.status not in FINAL_STEP:
            steps = steps.set(place, replace(step, status="stopped", retry_at=None, ended_at=at))
    return replace(state, steps=steps, open_steps=0, ended_at=at)
