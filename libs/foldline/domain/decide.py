"""From a command to events: everything a run may do, decided without clock, chance or I/O.

`decide` returns the events of the command and of all that follows from it at once (conditions answered,
steps skipped, the run ended), so that they are appended together. An empty answer means: nothing to do, the
command was carried out before (commands may come twice). A refusal raises and leaves everything as it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import assert_never

from msgspec import UNSET

from foldline.domain import conditions, retry
from foldline.domain import run_events as ev
from foldline.domain.commands import (
    Command,
    CreateRun,
    LoseAttempts,
    ReceiveReport,
    RequestStop,
    ScheduleSteps,
)
from foldline.domain.dag import references
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.failures import INFRASTRUCTURE_KINDS, Failure
from foldline.domain.run import AttemptState, RunState, StepState, evolve, ready
from foldline.domain.transitions import FINAL_STEP
from foldline.domain.values import Unresolvable, input_of
from foldline.domain.work import Report


class Refused(FoldlineError):
    """The command is against a rule in this state; the message names the rule."""

    def __init__(self, reason: str, message: str, kind: Kind = Kind.PRECONDITION) -> None:
        super().__init__(kind, reason, message)


class Decision:
    """Events as they are decided, and the state after them."""

    def __init__(self, state: RunState, now: datetime, events: Iterable[ev.RunEvent] = ()) -> None:
        self.state = state
        self.now = now
        self.events = list(events)

    def add(self, event: ev.RunEvent) -> None:
        self.state = evolve(self.state, event, self.now)
        self.events.append(event)


def decide(state: RunState | None, command: Command, now: datetime) -> tuple[ev.RunEvent, ...]:
    """The events that `command` leads to. Raises Refused; never changes `state`."""
    if isinstance(command, CreateRun):
        return _create(state, command, now)
    if state is None:
        raise Refused("UNKNOWN_RUN", "there is no such run", Kind.NOT_FOUND)
    decision = Decision(state, now)
    match command:
        case ScheduleSteps():
            _schedule(decision, command)
        case ReceiveReport():
            _receive(decision, command)
        case LoseAttempts():
            _lose(decision, command)
        case RequestStop():
            _request_stop(decision, command)
        case _:
            assert_never(command)
    return tuple(decision.events)


def _create(state: RunState | None, command: CreateRun, now: datetime) -> tuple[ev.RunEvent, ...]:
    if state is not None:
        if state.created == command.created:
            return ()
        raise Refused("RUN_EXISTS", f"run {command.created.run_id} exists already", Kind.ALREADY_EXISTS)
    decision = Decision(evolve(None, command.created, now), now, [command.created])
    _settle(decision, range(len(decision.state.steps)))
    return tuple(decision.events)


def _schedule(decision: Decision, command: ScheduleSteps) -> None:
    due = set(ready(decision.state, decision.now))
    for name, session in command.assignments:
        if name in due:
            attempt = len(decision.state.step(name).attempts) + 1
            decision.add(ev.StepScheduled(step=name, attempt=attempt, executor=session))


def _receive(decision: Decision, command: ReceiveReport) -> None:
    report = command.report
    step = decision.state.step(report.key.step)
    attempt = next((one for one in step.attempts if one.number == report.key.attempt), None)
    if attempt is None:
        raise Refused("UNKNOWN_ATTEMPT", f"{report.key} was never scheduled", Kind.INVALID)
    if _is_known(attempt, report):
        return
    if stale := _staleness(step, attempt, report):
        decision.add(
            ev.ReportIgnored(step=step.name, attempt=attempt.number, report=report.kind, reason=stale)
        )
        return
    if _tells_of_start(attempt, report):
        decision.add(ev.AttemptStarted(step=step.name, attempt=attempt.number, executor=report.session))
    if report.kind == "succeeded":
        decision.add(_succeeded(report))
        _after(decision, step.name)
    elif report.kind == "failed":
        _fail_attempt(decision, _failed(report), command.jitter)


def _tells_of_start(attempt: AttemptState, report: Report) -> bool:
    """An executor repeats its newest report alone, so an end may be the first that is heard of a start.

    A failure that took no time is one before there was a process: the environment, an input, the store.
    """
    if attempt.status != "scheduled":
        return False
    return report.kind != "failed" or report.seconds > 0


def _is_known(attempt: AttemptState, report: Report) -> bool:
    """Does the record say already what this report says?"""
    if report.kind in attempt.ignored:
        return True
    if report.session != attempt.executor:
        return False
    if report.kind == "started":
        return attempt.status != "scheduled"
    if report.kind != attempt.status:
        return False
    return report.kind == "succeeded" or report.failure == attempt.failure


def _staleness(step: StepState, attempt: AttemptState, report: Report) -> str:
    """Why the report can change nothing any more; empty when it can."""
    if report.session != attempt.executor:
        return f"the attempt belongs to executor {attempt.executor}, not {report.session}"
    if attempt.number != len(step.attempts):
        return f"attempt {len(step.attempts)} took its place"
    if not step.is_active:
        return f"the step is {step.status}"
    return ""


def _succeeded(report: Report) -> ev.AttemptSucceeded:
    return ev.AttemptSucceeded(
        step=report.key.step,
        attempt=report.key.attempt,
        outputs=report.outputs,
        reads=report.reads,
        seconds=report.seconds,
        max_rss_bytes=report.max_rss_bytes,
        log_lines=report.log_lines,
    )


def _failed(report: Report) -> ev.AttemptFailed:
    unknown = Failure(kind="infrastructure", reason="NO_REASON", message="the executor gave no reason")
    return ev.AttemptFailed(
        step=report.key.step,
        attempt=report.key.attempt,
        failure=unknown if report.failure is UNSET else report.failure,
        seconds=report.seconds,
        max_rss_bytes=report.max_rss_bytes,
        log_lines=report.log_lines,
    )


def _lose(decision: Decision, command: LoseAttempts) -> None:
    held = [
        step
        for step in decision.state.steps
        if step.is_active and step.attempts[-1].executor == command.session
    ]
    for step in held:
        failure = Failure(
            kind="lost",
            reason="EXECUTOR_LOST",
            message=f"executor {command.session} went away while it held attempt {step.attempts[-1].number}",
        )
        event = ev.AttemptFailed(step=step.name, attempt=step.attempts[-1].number, failure=failure)
        _fail_attempt(decision, event, command.jitter)


def _request_stop(decision: Decision, command: RequestStop) -> None:
    if decision.state.is_final:
        raise Refused("RUN_ENDED", f"the run is {decision.state.status} already; there is nothing to stop")
    if decision.state.status == "stopping":
        return
    decision.add(ev.RunStopRequested(reason=command.reason))
    _finish(decision)


def _fail_attempt(decision: Decision, event: ev.AttemptFailed, jitter: float) -> None:
    decision.add(event)
    step = decision.state.step(event.step)
    if decision.state.status == "stopping":
        decision.add(ev.StepStopped(step=step.name))
    elif (delay := _retry_delay(decision.state, step, event.failure, jitter)) is not None:
        at = decision.now + timedelta(seconds=delay)
        decision.add(ev.RetryScheduled(step=step.name, attempt=len(step.attempts) + 1, at=at))
    else:
        decision.add(ev.StepFailed(step=step.name, failure=event.failure))
    _after(decision, step.name)


def _retry_delay(state: RunState, step: StepState, failure: Failure, jitter: float) -> float | None:
    """Seconds until the next attempt; None when no attempt is left."""
    by_platform = failure.kind in INFRASTRUCTURE_KINDS
    alike = [
        one
        for one in step.attempts
        if one.failure is not None and (one.failure.kind in INFRASTRUCTURE_KINDS) == by_platform
    ]
    if by_platform:
        if len(alike) >= retry.INFRASTRUCTURE_ATTEMPTS:
            return None
        return retry.delay_seconds(retry.INFRASTRUCTURE, len(alike), jitter)
    policy = state.plan.step(step.name).retry
    if not retry.is_allowed(policy, len(alike), failure.error_class):
        return None
    return retry.delay_seconds(policy, len(alike), jitter)


def _after(decision: Decision, step: str) -> None:
    """What follows once `step` may have ended."""
    place = decision.state.plan.index[step]
    if decision.state.steps[place].status in FINAL_STEP:
        _settle(decision, decision.state.plan.feeds[place])
    else:
        _finish(decision)


def _settle(decision: Decision, places: Iterable[int]) -> None:
    """Decide what the scheduler decides by itself, from `places` onwards, until nothing moves."""
    queue = list(places)
    for place in queue:
        step = decision.state.steps[place]
        if not decision.state.takes_work or step.status != "waiting" or step.open_needs:
            continue
        event = _own_decision(decision.state, step)
        if event is not None:
            decision.add(event)
            queue.extend(decision.state.plan.feeds[place])  # the list is the queue
    _finish(decision)


def _own_decision(state: RunState, step: StepState) -> ev.RunEvent | None:
    """The event that ends a waiting step without an executor; None for a step that needs one."""
    if (skipped := _skip(state, step)) is not None:
        return skipped
    declared = state.plan.step(step.name)
    try:
        if declared.condition is not UNSET:
            result, explanation = conditions.answer(state, declared.condition)
            return ev.ConditionDecided(step=step.name, result=result, explanation=explanation)
        for binding in declared.inputs.values():
            input_of(state, binding)
    except Unresolvable as error:
        failure = Failure(kind="invalid", reason=error.reason, message=error.message)
        return ev.StepFailed(step=step.name, failure=failure)
    return None


def _skip(state: RunState, step: StepState) -> ev.StepSkipped | None:
    """Skipped by a guard, or because something it takes a value from was, or all that it waits for."""
    declared = state.plan.step(step.name)
    for guard in declared.guards:
        condition = state.step(guard.step)
        if condition.status == "skipped":
            return ev.StepSkipped(step=step.name, reason="upstream", because=guard.step)
        if condition.answer is not guard.branch:
            return ev.StepSkipped(step=step.name, reason="guard", because=guard.step)
    place = state.plan.index[step.name]
    upstream = [state.steps[other] for other in state.plan.needs[place]]
    skipped = [other.name for other in upstream if other.status == "skipped"]
    sources = {reference.step for reference in references(declared)}
    because = next((name for name in skipped if name in sources), None)
    if because is None and skipped and len(skipped) == len(upstream):
        because = skipped[0]
    if because is None:
        return None
    return ev.StepSkipped(step=step.name, reason="upstream", because=because)


def _finish(decision: Decision) -> None:
    """End the run when nothing of it can move any more."""
    state = decision.state
    if state.is_final or state.active_steps:
        return
    if state.failed_step:
        failure = state.step(state.failed_step).failure
        assert failure is not None
        decision.add(ev.RunFailed(step=state.failed_step, failure=failure))
    elif state.open_steps == 0 and all(step.status != "stopped" for step in state.steps):
        _complete(decision)
    elif state.status == "stopping":
        decision.add(ev.RunStopped())


def _complete(decision: Decision) -> None:
    outputs = {}
    for name, binding in decision.state.plan.graph.outputs.items():
        if binding.output is UNSET:
            continue
        artifact = decision.state.step(binding.output.step).outputs.get(binding.output.name)
        if artifact is not None:  # of a skipped step there is none
            outputs[name] = artifact
    decision.add(ev.RunCompleted(outputs=outputs))
