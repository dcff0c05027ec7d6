"""From a command to events: everything a run may do, decided without clock, chance or I/O.

`decide` returns the events of the command and of all that follows from it at once (conditions answered,
steps skipped, the run ended), so that they are appended together. An empty answer means: nothing to do, the
command was carried out before (commands may come twice). A refusal raises and leaves everything as it was.

Where the rules are: `settle` (what a run decides by itself), `reports` (attempts and inner runs), `inner`
(map, repeat, workflow), `waits` (people and events), `operations` (stop, pause, retry), `timers`.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from msgspec import UNSET

from foldline.domain import dag, inner, operations, reports, timers, waits
from foldline.domain import run_events as ev
from foldline.domain.commands import (
    AnswerWait,
    Command,
    CreateRun,
    DeliverEvent,
    ExpandSteps,
    FireTimers,
    LoseAttempts,
    PauseRun,
    ProvideParameters,
    Recall,
    RecallSteps,
    ReceiveChild,
    ReceiveReport,
    RequestStop,
    ResumeRun,
    RetrySteps,
    ScheduleSteps,
    StopStep,
)
from foldline.domain.decision import Decision, Refused
from foldline.domain.errors import Kind
from foldline.domain.evolve import evolve
from foldline.domain.failures import Failure
from foldline.domain.keys import key_of
from foldline.domain.run import RunState, is_expandable, is_ready, is_recallable
from foldline.domain.settle import after, fail, settle
from foldline.domain.values import Unresolvable

__all__ = ["Decision", "Refused", "decide", "decision_on"]


def decide(state: RunState | None, command: Command, now: datetime) -> tuple[ev.RunEvent, ...]:
    """The events that `command` leads to. Raises Refused; never changes `state`."""
    return tuple(decision_on(state, command, now).events)


def decision_on(state: RunState | None, command: Command, now: datetime) -> Decision:
    """As `decide`, with the state after the events: whoever goes on from there need not fold them again."""
    if isinstance(command, CreateRun):
        return _create(state, command, now)
    if state is None:
        raise Refused("UNKNOWN_RUN", "there is no such run", Kind.NOT_FOUND)
    decision = Decision(state, now)
    _carry_out(decision, command)
    return decision


def _carry_out(decision: Decision, command: Command) -> None:  # noqa: C901  # one arm per command
    match command:
        case CreateRun():
            raise AssertionError("handled before there is a state")
        case ScheduleSteps():
            _schedule(decision, command)
        case ReceiveReport():
            reports.receive(decision, command)
        case LoseAttempts():
            reports.lose(decision, command)
        case ReceiveChild():
            reports.receive_child(decision, command)
        case FireTimers():
            timers.fire(decision)
        case RecallSteps():
            _recall(decision, command)
        case ExpandSteps():
            _expand(decision, command)
        case RequestStop():
            operations.request_stop(decision, command)
        case StopStep():
            operations.stop_step(decision, command)
        case PauseRun():
            operations.pause(decision, command)
        case ResumeRun():
            operations.resume(decision, command)
        case RetrySteps():
            operations.retry(decision, command)
        case ProvideParameters():
            operations.provide(decision, command)
        case AnswerWait():
            waits.answer(decision, command)
            after(decision, command.step)
        case DeliverEvent():
            waits.deliver(decision, command)
            settle(decision, range(len(decision.state.steps)))
        case _:
            assert_never(command)


def _create(state: RunState | None, command: CreateRun, now: datetime) -> Decision:
    if state is not None:
        if state.created == command.created or _is_same_part(state.created, command.created):
            return Decision(state, now)
        raise Refused("RUN_EXISTS", f"run {command.created.run_id} exists already", Kind.ALREADY_EXISTS)
    if command.created.parent is UNSET:  # what runs inside a step was checked with the step
        dag.check(command.created.graph)
    decision = Decision(evolve(None, command.created, now), now, [command.created])
    settle(decision, range(len(decision.state.steps)))
    return decision


def _is_same_part(one: ev.RunCreated, other: ev.RunCreated) -> bool:
    """Parameters of the parent may have changed since its child was created; what there is then counts."""
    return one.parent is not UNSET and one.parent == other.parent


def _schedule(decision: Decision, command: ScheduleSteps) -> None:
    for name, session in command.assignments:
        if is_ready(decision.state, decision.step(name), decision.now):
            attempt = len(decision.step(name).attempts) + 1
            decision.add(ev.StepScheduled(step=name, attempt=attempt, executor=session))


def _recall(decision: Decision, command: RecallSteps) -> None:
    for one in command.recalls:
        state = decision.state
        if not is_recallable(state, state.step(one.step)) or not _is_current(state, one):
            continue
        if one.reuse is not UNSET:
            decision.add(ev.StepReused(step=one.step, reuse=one.reuse, key=one.key, reason=one.reason))
        elif one.is_unsafe:
            failure = Failure(kind="unsafe", reason="RAN_BEFORE", message=one.reason)
            decision.add(ev.StepHeld(step=one.step, failure=failure))
        else:
            decision.add(ev.ReuseDeclined(step=one.step, key=one.key, reason=one.reason))
            settle(decision, [decision.state.place(one.step)])
        after(decision, one.step)


def _is_current(state: RunState, recall: Recall) -> bool:
    """Was it answered for the inputs that the step has now? Otherwise the question stays open."""
    try:
        return recall.key == key_of(state, recall.step)
    except Unresolvable:
        return not recall.key and recall.reuse is UNSET


def _expand(decision: Decision, command: ExpandSteps) -> None:
    for one in command.expansions:
        if not is_expandable(decision.state, decision.step(one.step), decision.now):
            continue
        if one.problem:
            fail(decision, one.step, "invalid", one.reason, one.problem)
        else:
            inner.expand(decision, one.step, one.sizes)
        after(decision, one.step)
