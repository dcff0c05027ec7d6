"""What has to happen outside of a run because of its events: orders to executors, words to other runs.

Effects follow the commit and may get lost or be repeated; each is safe to repeat. `effects` gives those
of newly appended events; `standing` those that a state calls for by itself, for whoever takes a run over.
Scheduler and local runs carry out the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from foldline.domain import run_events as ev
from foldline.domain.inner import is_exceeded, is_to_stop
from foldline.domain.run import RunState, StepState


class Dispatch(Struct, frozen=True):
    """Give the newest attempt of the step to its executor."""

    step: str


class StopAttempt(Struct, frozen=True):
    """Have the executor end an attempt: at once when forced, otherwise with the step's grace time."""

    step: str
    attempt: int
    executor: str
    forced: bool = False


class CreateChild(Struct, frozen=True):
    """Create child `index` of the newest attempt of the step (`inner.created`)."""

    step: str
    index: int


class StopChild(Struct, frozen=True):
    step: str
    attempt: int
    index: int
    forced: bool = False


class PauseChild(Struct, frozen=True):
    step: str
    index: int


class ResumeChild(Struct, frozen=True):
    step: str
    index: int


class TellParent(Struct, frozen=True):
    """Tell the parent that this run has ended (`inner.ended`)."""


Effect = Dispatch | StopAttempt | CreateChild | StopChild | PauseChild | ResumeChild | TellParent


def effects(events: Iterable[ev.RunEvent], state: RunState) -> list[Effect]:
    """The effects of `events`; `state` is the one behind the last of them."""
    return [effect for event in events for effect in _of(event, state)]


def standing(state: RunState) -> list[Effect]:
    """Everything that should be so outside, given the state: children exist, what is to stop was told so."""
    if state.is_final:
        return [TellParent()] if state.is_part else []
    found: list[Effect] = []
    for step in state.steps:
        if not step.is_active:  # given up by a time-out, whatever its inner runs are still doing
            found += _stop_children(state, step) if _open(step) else []
            continue
        if step.children is None:
            if state.status == "stopping" or step.status == "stopping" or state.forced:
                found.append(_stop(state, step))
            continue
        found += [CreateChild(step.name, index) for index in step.children.open]
        if is_to_stop(state, step):
            found += _stop_children(state, step)
        elif state.status == "paused":
            found += [PauseChild(step.name, index) for index in step.children.open]
        else:
            found += [ResumeChild(step.name, index) for index in step.children.open]
    return found


def _of(event: ev.RunEvent, state: RunState) -> Iterator[Effect]:  # noqa: C901  # one arm per event
    match event:
        case ev.StepScheduled():
            step = state.step(event.step)
            if step.is_active and step.attempts[-1].number == event.attempt:  # it may be over already
                yield Dispatch(event.step)
        case ev.ChildStarted():
            yield CreateChild(event.step, event.index)
        case ev.RunStopRequested():
            for step in _active(state):
                yield from _stop_all(state, step)
        case ev.StepStopRequested():
            yield from _stop_all(state, state.step(event.step))
        case ev.ChildEnded():
            step = state.step(event.step)
            if step.is_active and is_exceeded(state, step):
                yield from _stop_children(state, step)
        case ev.AttemptFailed() if event.failure.kind == "timeout":
            yield from _stop_late(state, event)
        case ev.RunPaused():
            for step in _active(state):
                yield from (PauseChild(step.name, index) for index in _open(step))
        case ev.RunResumed():
            for step in _active(state):
                yield from (ResumeChild(step.name, index) for index in _open(step))
        case ev.RunCompleted() | ev.RunFailed() | ev.RunStopped() if state.is_part:
            yield TellParent()
        case _:
            return


def _active(state: RunState) -> list[StepState]:
    return list(state.steps.active_ones())


def _open(step: StepState) -> tuple[int, ...]:
    return () if step.children is None else step.children.open


def _stop_all(state: RunState, step: StepState) -> Iterator[Effect]:
    if not step.is_active:
        return
    if step.children is None:
        yield _stop(state, step)
    else:
        yield from _stop_children(state, step)


def _stop(state: RunState, step: StepState) -> StopAttempt:
    attempt = step.attempts[-1]
    return StopAttempt(step.name, attempt.number, attempt.executor, state.forced)


def _stop_children(state: RunState, step: StepState) -> list[Effect]:
    attempt = step.attempts[-1].number
    return [StopChild(step.name, attempt, index, state.forced) for index in _open(step)]


def _stop_late(state: RunState, event: ev.AttemptFailed) -> Iterator[Effect]:
    """The run gave the attempt up, whatever its executor or its inner runs are still doing."""
    step = state.step(event.step)
    attempt = step.attempts[event.attempt - 1]
    if attempt.executor:
        yield StopAttempt(step.name, event.attempt, attempt.executor)
    else:
        yield from (StopChild(step.name, event.attempt, index) for index in _open(step))
