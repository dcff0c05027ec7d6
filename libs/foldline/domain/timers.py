"""Time in a run. Every deadline follows from what is in the ledger, so it survives processes.

`next_timer` says when to look at the clock again; `fire` does what is due by then: waits expire, steps
that were not started in time or took too long in all fail. (A running attempt's own time, and its
silence, are watched by its executor, which is closest to it.) Retries need no firing: `run.ready` lists
them once they are due.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from foldline.domain import run_events as ev
from foldline.domain import waits
from foldline.domain.decision import Decision
from foldline.domain.failures import Failure
from foldline.domain.run import RunState, StepState
from foldline.domain.settle import after


def next_timer(state: RunState) -> datetime | None:
    """When something falls due; None when no timer runs."""
    if state.is_final:
        return None
    retries = _retries(state) if state.takes_work else ()
    return min((*retries, *_moments(state)), default=None)


def following(state: RunState, now: datetime) -> datetime | None:
    """When something falls due after `now`; None when no timer runs beyond it."""
    if state.is_final:
        return None
    return min((at for at in (*_retries(state), *_moments(state)) if at > now), default=None)


def is_due(state: RunState, now: datetime) -> bool:
    """Is there something to `fire`?"""
    return not state.is_final and any(at <= now for at in _moments(state))


def fire(decision: Decision) -> None:
    """Let happen what is due."""
    for step in list(_timed(decision.state)):
        due = [(at, what) for at, what in _deadlines(decision.state, step) if at <= decision.now]
        if not due or decision.state.is_final or decision.step(step.name) != step:
            continue
        what = min(due)[1]
        if what == "wait":
            waits.expire(decision, step.name)
        else:
            _time_out(decision, step, what)
        after(decision, step.name)


def _retries(state: RunState) -> Iterator[datetime]:
    """When steps may be tried again."""
    for step in _timed(state):
        if step.status == "retrying" and step.retry_at is not None:
            yield step.retry_at


def _moments(state: RunState) -> Iterator[datetime]:
    """When deadlines pass."""
    return (at for step in _timed(state) for at, _ in _deadlines(state, step))


def _timed(state: RunState) -> Iterable[StepState]:
    """Steps that may have a deadline."""
    return state.steps if state.plan.has_timeouts else state.steps.timed_ones()


def _deadlines(state: RunState, step: StepState) -> Iterator[tuple[datetime, str]]:
    """A step that is held has all the time a person takes; in a stopping run only what is active must end."""
    if state.status == "stopping" and not step.is_active:
        return
    if step.status == "awaiting" and step.deadline is not None:
        yield step.deadline, "wait"
    if not state.plan.has_timeouts or step.is_final or step.ready_at is None or step.status == "held":
        return
    timeouts = state.plan.step(step.name).timeouts
    if timeouts.total_seconds:
        yield step.ready_at + timedelta(seconds=timeouts.total_seconds), "total"
    if timeouts.queue_seconds and step.is_work and _may_be_started(state, step):
        since = _queued_since(state, step)
        if since is not None:
            yield since + timedelta(seconds=timeouts.queue_seconds), "queue"


def _may_be_started(state: RunState, step: StepState) -> bool:
    """Does its waiting for an executor count? What was given out has still to start, or to end, although
    nothing new is given out; only where the run is paused there is time for that."""
    return state.takes_work or (step.is_active and state.status != "paused")


def _queued_since(state: RunState, step: StepState) -> datetime | None:
    """Since when the step has been waiting for an executor and nothing else; None when it does not. The time
    that the run was paused does not count."""
    if step.status not in ("waiting", "retrying", "scheduled") or step.due_at is None:
        return None
    return step.due_at if state.resumed_at is None else max(step.due_at, state.resumed_at)


def _time_out(decision: Decision, step: StepState, what: str) -> None:
    timeouts = decision.declared(step.name).timeouts
    if what == "total":
        message = f"the step took longer than {timeouts.total_seconds:g} s in all"
        failure = Failure(kind="timeout", reason="STEP_OUT_OF_TIME", message=message)
    else:
        message = f"no executor started it within {timeouts.queue_seconds:g} s"
        failure = Failure(kind="timeout", reason="NOT_STARTED_IN_TIME", message=message)
    if step.is_active:
        decision.add(ev.AttemptFailed(step=step.name, attempt=step.attempts[-1].number, failure=failure))
        if step.status == "stopping" or decision.state.status == "stopping" or decision.state.forced:
            decision.add(ev.StepStopped(step=step.name))
            return
    can_hold = decision.step(step.name).status in ("waiting", "retrying")
    if can_hold and decision.declared(step.name).retry.on_exhausted == "pause":
        decision.add(ev.StepHeld(step=step.name, failure=failure))
    else:
        decision.add(ev.StepFailed(step=step.name, failure=failure))
