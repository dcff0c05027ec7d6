"""What an event does to a run: the only place that knows, for schedulers, local runs, replay and records.

`evolve` never refuses for reasons of policy (that is `decide`'s job), only what the transition tables do
not allow, since such a history cannot have been written by us.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from foldline.domain import dag, revive
from foldline.domain import run_events as ev
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.run import AttemptState, Children, RunState, Steps, StepState
from foldline.domain.transitions import RUN, STEP


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
    apply = _APPLY.get(type(event))
    if apply is None:  # RunCreated, a second time
        raise IllegalTransition("the run", state.status, type(event).__name__)
    return apply(replace(state, version=state.version + 1), event, at)


def _initial(event: ev.RunCreated, at: datetime) -> RunState:
    graph, parameters, inputs = event.graph, event.parameters, event.inputs
    if event.items and event.parent is not UNSET:
        over, first = event.parent.over, event.parent.first
        graph = dag.replicate(graph, over=over, first=first, count=len(event.items))
        named = [(dag.numbered(over, first + place), item) for place, item in enumerate(event.items)]
        parameters = parameters | {name: item.value for name, item in named if item.value is not UNSET}
        inputs = inputs | {name: item.artifact for name, item in named if item.artifact is not UNSET}
    plan = dag.lay_out(graph)
    steps = Steps(
        StepState(
            name=step.name,
            kind=step.kind,
            open_needs=len(plan.needs[place]),
            ready_at=None if plan.needs[place] or step.handles else at,
            due_at=None if plan.needs[place] or step.handles else at,
        )
        for place, step in enumerate(plan.graph.steps)
    )
    return RunState(
        created=event,
        plan=plan,
        created_at=at,
        steps=steps,
        parameters=parameters,
        inputs=inputs,
        selected=frozenset(event.selection),
        open_steps=len(steps) - len(plan.handlers),
    )


# -- attempts --------------------------------------------------------------------------------------


def _step_scheduled(state: RunState, event: ev.StepScheduled, at: datetime) -> RunState:
    return _new_attempt(state, event, event.executor, "scheduled", at)


def _step_expanded(state: RunState, event: ev.StepExpanded, at: datetime) -> RunState:
    state = _new_attempt(state, event, "", "running", at)
    step = state.step(event.step)
    attempt = replace(step.attempts[-1], started_at=at)
    step = replace(
        _with(step, attempt), children=Children(sizes=event.sizes), started_at=step.started_at or at
    )
    return _put(state, step)


def _new_attempt(
    state: RunState, event: ev.StepScheduled | ev.StepExpanded, executor: str, status: str, at: datetime
) -> RunState:
    step = _moved(state, event)
    if event.attempt != len(step.attempts) + 1:
        raise IllegalTransition(f"step {step.name}", f"at attempt {len(step.attempts)}", type(event).__name__)
    attempt = AttemptState(number=event.attempt, status=status, executor=executor, scheduled_at=at)
    if state.status == "created":
        state = _move_run(state, event)
    step = replace(step, attempts=(*step.attempts, attempt), retry_at=None, note="", parameters=None)
    return _put(state, step)


def _attempt_started(state: RunState, event: ev.AttemptStarted, at: datetime) -> RunState:
    step = _moved(state, event)
    attempt = replace(_current(step, event), status="running", started_at=at)
    return _put(state, replace(_with(step, attempt), started_at=step.started_at or at))


def _attempt_progressed(state: RunState, event: ev.AttemptProgressed, _: datetime) -> RunState:
    step = _moved(state, event)
    attempt = _current(step, event)
    checkpoint = attempt.checkpoint if event.checkpoint is UNSET else event.checkpoint
    attempt = replace(attempt, fraction=event.fraction, message=event.message, checkpoint=checkpoint)
    return _put(state, _with(step, attempt))


def _attempt_succeeded(state: RunState, event: ev.AttemptSucceeded, at: datetime) -> RunState:
    step = _ended_attempt(_moved(state, event), event, "succeeded", at)
    attempt = replace(step.attempts[-1], reads=event.reads)
    step = replace(_with(step, attempt), outputs=event.outputs, metrics=event.metrics)
    return _end_step(state, step, at)


def _attempt_failed(state: RunState, event: ev.AttemptFailed, at: datetime) -> RunState:
    step = _ended_attempt(_moved(state, event), event, "failed", at)
    step = _with(step, replace(step.attempts[-1], failure=event.failure))
    return _put(state, step)


def _ended_attempt(
    step: StepState, event: ev.AttemptSucceeded | ev.AttemptFailed, status: str, at: datetime
) -> StepState:
    """The end of a short attempt tells of its start, too: how long it took says when that was."""
    attempt = _current(step, event)
    started = attempt.started_at
    if started is None and status == "succeeded":
        started = at
    if started is not None and event.seconds:
        started = max(attempt.scheduled_at, min(started, at - timedelta(seconds=event.seconds)))
    attempt = replace(
        attempt,
        status=status,
        started_at=started,
        ended_at=at,
        seconds=event.seconds,
        max_rss_bytes=event.max_rss_bytes,
        log_lines=event.log_lines,
    )
    first = step.started_at or started if len(step.attempts) > 1 else started
    return replace(_with(step, attempt), started_at=first)


def _retry_scheduled(state: RunState, event: ev.RetryScheduled, _: datetime) -> RunState:
    note = f"attempt {event.attempt} from {event.at:%H:%M:%S} UTC"
    return _put(state, replace(_moved(state, event), retry_at=event.at, due_at=event.at, note=note))


def _report_ignored(state: RunState, event: ev.ReportIgnored, _: datetime) -> RunState:
    step = state.step(event.step)
    attempts = tuple(
        replace(attempt, ignored=(*attempt.ignored, event.report))
        if attempt.number == event.attempt
        else attempt
        for attempt in step.attempts
    )
    return _put(state, replace(step, attempts=attempts))


# -- runs inside a step ----------------------------------------------------------------------------


def _child_started(state: RunState, event: ev.ChildStarted, _: datetime) -> RunState:
    step = _moved(state, event)
    _current(step, event)
    children = step.children or Children()
    children = replace(children, started=event.index + 1, open=(*children.open, event.index))
    return _put(state, replace(step, children=children))


def _child_ended(state: RunState, event: ev.ChildEnded, _: datetime) -> RunState:
    step = _moved(state, event)
    _current(step, event)
    children = step.children or Children()
    if event.index not in children.open:
        raise IllegalTransition(f"child {event.index} of step {step.name}", "not open", "ChildEnded")
    earlier = children.outputs if step.kind == "map" else {}
    children = replace(
        children,
        open=tuple(index for index in children.open if index != event.index),
        completed=children.completed + (event.status == "completed"),
        succeeded=children.succeeded + event.succeeded,
        failed=children.failed + event.failed,
        outputs={**earlier, event.index: event.outputs},
        failure=children.failure or (None if event.failure is UNSET else event.failure),
    )
    return _put(state, replace(step, children=children))


# -- steps -----------------------------------------------------------------------------------------


def _condition_decided(state: RunState, event: ev.ConditionDecided, at: datetime) -> RunState:
    step = replace(_moved(state, event), answer=event.result, note=event.explanation, started_at=at)
    return _end_step(state, step, at)


def _step_skipped(state: RunState, event: ev.StepSkipped, at: datetime) -> RunState:
    note = f"{event.reason}: {event.because}" if event.because else event.reason
    step = replace(_moved(state, event), note=note, skipped_for=event.reason, deadline=None)
    return _end_step(state, step, at)


def _step_reused(state: RunState, event: ev.StepReused, at: datetime) -> RunState:
    reuse = event.reuse
    step = replace(
        _moved(state, event),
        outputs=reuse.outputs,
        metrics=reuse.metrics,
        reused_from=f"{reuse.run_id}/{reuse.step}/{reuse.attempt}" if reuse.run_id else "",
        reuse_key=event.key,
        note=f"reused: {event.reason}",
    )
    return _end_step(state, step, at)


def _reuse_declined(state: RunState, event: ev.ReuseDeclined, _: datetime) -> RunState:
    return _put(state, replace(_moved(state, event), reuse_key=event.key or "-", note=event.reason))


def _step_failed(state: RunState, event: ev.StepFailed, at: datetime) -> RunState:
    step = replace(_moved(state, event), failure=event.failure, retry_at=None, deadline=None, asked=())
    if not state.plan.step(event.step).handles:
        state = _count_failure(state, event.step)
    return _end_step(state, step, at)


def _count_failure(state: RunState, name: str) -> RunState:
    unit = state.place(name) // state.unit_size
    failed_step = state.failed_step or name
    return replace(state, failed_units=state.failed_units | {unit}, failed_step=failed_step)


def _step_held(state: RunState, event: ev.StepHeld, _: datetime) -> RunState:
    step = replace(_moved(state, event), failure=event.failure, retry_at=None, note=event.failure.message)
    return _put(state, step)


def _step_stop_requested(state: RunState, event: ev.StepStopRequested, _: datetime) -> RunState:
    """What is not under way is stopping, too, until the StepStopped that follows at once."""
    return _put(state, replace(_moved(state, event), note=event.reason or "stopped by hand"))


def _step_stopped(state: RunState, event: ev.StepStopped, at: datetime) -> RunState:
    """An item of which a step was stopped by hand gives nothing, as one that failed; the others go on."""
    step = replace(_moved(state, event), retry_at=None, deadline=None, asked=(), failure=None)
    if state.created.items and state.status != "stopping":
        state = _count_failure(state, event.step)
    return _end_step(state, step, at)


def _step_retried(state: RunState, event: ev.StepRetried, at: datetime) -> RunState:
    return revive.step(state, _moved(state, event), at)


def _parameters_requested(state: RunState, event: ev.ParametersRequested, _: datetime) -> RunState:
    return _put(state, replace(_moved(state, event), asked=event.parameters))


_BEGUN = frozenset({"awaiting", "completed"})


def _parameters_provided(state: RunState, event: ev.ParametersProvided, at: datetime) -> RunState:
    """Steps that have all they asked for go on to wait for their turn; those that have begun keep theirs."""
    before = state.parameters
    inputs = {name: one for name, one in state.inputs.items() if name not in event.values}
    state = replace(state, parameters=before | event.values, inputs=inputs)
    is_change = any(name in before and before[name] != value for name, value in event.values.items())
    for step in state.steps:
        if is_change and step.parameters is None and (step.attempts or step.status in _BEGUN):
            state = _put(state, replace(step, parameters=before))
        if step.status == "asking":
            lacking = tuple(name for name in step.asked if name not in state.parameters)
            status = STEP["asking"]["ParametersProvided"] if not lacking else step.status
            state = _put(state, replace(step, asked=lacking, status=status, due_at=at))
    return state


def _wait_opened(state: RunState, event: ev.WaitOpened, at: datetime) -> RunState:
    deadline = None if event.deadline is UNSET else event.deadline
    return _put(state, replace(_moved(state, event), deadline=deadline, started_at=at))


def _wait_answered(state: RunState, event: ev.WaitAnswered, at: datetime) -> RunState:
    """A rejection that fails the step comes as StepFailed, without this event."""
    step = replace(_moved(state, event), outputs=event.outputs, note=event.comment, deadline=None)
    return _end_step(state, step, at)


def _wait_expired(state: RunState, event: ev.WaitExpired, _: datetime) -> RunState:
    return _put(state, replace(_moved(state, event), note=f"deadline passed: {event.action}"))


# -- the run ---------------------------------------------------------------------------------------


def _run_paused(state: RunState, event: ev.RunPaused, _: datetime) -> RunState:
    return replace(_move_run(state, event), paused_by_parent=event.by_parent)


def _run_resumed(state: RunState, event: ev.RunResumed, at: datetime) -> RunState:
    return replace(_move_run(state, event), resumed_at=at)


def _run_stop_requested(state: RunState, event: ev.RunStopRequested, _: datetime) -> RunState:
    return replace(_move_run(state, event), forced=state.forced or event.forced)


def _run_reopened(state: RunState, event: ev.RunReopened, at: datetime) -> RunState:
    return revive.run(_move_run(state, event), at)


def _run_ending(state: RunState, event: ev.RunEnding, at: datetime) -> RunState:
    state = _abandon(_move_run(state, event), at)
    steps = state.steps
    for place in state.plan.handlers:
        if not state.plan.needs[place]:
            steps = steps.set(place, replace(steps[place], ready_at=at, due_at=at))
    failure = None if event.failure is UNSET else event.failure
    return replace(
        state,
        steps=steps,
        outcome=event.outcome,
        failed_step=event.step,
        failure=failure,
        open_steps=len(state.plan.handlers),
        forced=False,
    )


def _run_completed(state: RunState, event: ev.RunCompleted, at: datetime) -> RunState:
    return _end_run(replace(_move_run(state, event), outputs=event.outputs), at)


def _run_failed(state: RunState, event: ev.RunFailed, at: datetime) -> RunState:
    state = replace(_move_run(state, event), failed_step=event.step, failure=event.failure)
    return _end_run(state, at)


def _run_stopped(state: RunState, event: ev.RunStopped, at: datetime) -> RunState:
    return _end_run(_move_run(state, event), at)


_APPLY: dict[type, Callable[[RunState, Any, datetime], RunState]] = {
    ev.StepScheduled: _step_scheduled,
    ev.AttemptStarted: _attempt_started,
    ev.AttemptProgressed: _attempt_progressed,
    ev.AttemptSucceeded: _attempt_succeeded,
    ev.AttemptFailed: _attempt_failed,
    ev.RetryScheduled: _retry_scheduled,
    ev.ReportIgnored: _report_ignored,
    ev.StepExpanded: _step_expanded,
    ev.ChildStarted: _child_started,
    ev.ChildEnded: _child_ended,
    ev.ConditionDecided: _condition_decided,
    ev.StepSkipped: _step_skipped,
    ev.StepReused: _step_reused,
    ev.ReuseDeclined: _reuse_declined,
    ev.StepFailed: _step_failed,
    ev.StepHeld: _step_held,
    ev.StepStopRequested: _step_stop_requested,
    ev.StepStopped: _step_stopped,
    ev.StepRetried: _step_retried,
    ev.ParametersRequested: _parameters_requested,
    ev.ParametersProvided: _parameters_provided,
    ev.WaitOpened: _wait_opened,
    ev.WaitAnswered: _wait_answered,
    ev.WaitExpired: _wait_expired,
    ev.RunPaused: _run_paused,
    ev.RunResumed: _run_resumed,
    ev.RunStopRequested: _run_stop_requested,
    ev.RunReopened: _run_reopened,
    ev.RunEnding: _run_ending,
    ev.RunCompleted: _run_completed,
    ev.RunFailed: _run_failed,
    ev.RunStopped: _run_stopped,
}
"""Every event but RunCreated. A test holds it against the union of events."""


# -- small moves -----------------------------------------------------------------------------------


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
        behind = steps[other]
        left = behind.open_needs - 1
        since = None if left else at
        steps = steps.set(other, replace(behind, open_needs=left, ready_at=since, due_at=since))
    return replace(state, steps=steps, open_steps=state.open_steps - 1)


def _abandon(state: RunState, at: datetime) -> RunState:
    """What is in play and has not ended by now never will: show it as stopped."""
    steps = state.steps
    handlers = frozenset(state.plan.handlers)
    for place, step in enumerate(state.steps):
        if not step.is_final and (state.status != "ending" or place not in handlers):
            left = replace(step, status="stopped", retry_at=None, deadline=None, ended_at=at)
            steps = steps.set(place, replace(left, is_abandoned=True))
    return replace(state, steps=steps)


def _end_run(state: RunState, at: datetime) -> RunState:
    return replace(_abandon(state, at), open_steps=0, ended_at=at)
