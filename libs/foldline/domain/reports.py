"""What executors and inner runs tell: attempts end, are lost, are tried again, or the step fails."""

from __future__ import annotations

from datetime import timedelta

from msgspec import UNSET
from msgspec.structs import replace

from foldline.domain import ahead, inner, retry
from foldline.domain import run_events as ev
from foldline.domain.commands import LoseAttempts, ReceiveChild, ReceiveReport
from foldline.domain.decision import Decision, Refused
from foldline.domain.errors import Kind
from foldline.domain.failures import INFRASTRUCTURE_KINDS, Failure
from foldline.domain.run import AttemptState, RunState, StepState
from foldline.domain.settle import after, finish
from foldline.domain.work import AttemptKey, Report

# -- of attempts -----------------------------------------------------------------------------------


def receive(decision: Decision, command: ReceiveReport) -> None:
    report = command.report
    step = decision.step(report.key.step)
    attempt = next((one for one in step.attempts if one.number == report.key.attempt), None)
    if attempt is None and ahead.is_early(decision.state, report):
        raise Refused("REPORTED_EARLY", f"{report.key} stands on what is not told yet", Kind.UNAVAILABLE)
    if attempt is None and report.after is not UNSET:
        return  # it was begun, and is not wanted
    if attempt is None:
        raise Refused("UNKNOWN_ATTEMPT", f"{report.key} was never scheduled", Kind.INVALID)
    if _is_known(attempt, report):
        return
    if stale := _staleness(step, attempt, report):
        if report.kind in attempt.ignored:
            return
        decision.add(
            ev.ReportIgnored(step=step.name, attempt=attempt.number, report=report.kind, reason=stale)
        )
        return
    if _tells_of_start(attempt, report):
        decision.add(ev.AttemptStarted(step=step.name, attempt=attempt.number, executor=report.session))
    match report.kind:
        case "progressed":
            decision.add(_progressed(report))
        case "succeeded":
            decision.add(_succeeded(report))
            after(decision, step.name)
            ahead.take_up(decision, report)
        case "failed":
            if report.checkpoint is not UNSET and report.checkpoint != attempt.checkpoint:
                # The report of it may have been replaced by this one before anybody heard it.
                decision.add(_progressed(report))
            fail_attempt(decision, _failed(report), command.jitter)


def lose(decision: Decision, command: LoseAttempts) -> None:
    run_id = decision.state.created.run_id
    held = [
        step
        for step in decision.state.steps
        if step.is_active
        and step.attempts[-1].executor == command.session
        and AttemptKey(run_id=run_id, step=step.name, attempt=len(step.attempts)) not in command.kept
    ]
    for step in held:
        failure = Failure(
            kind="lost",
            reason="EXECUTOR_LOST",
            message=f"executor {command.session} went away while it held attempt {step.attempts[-1].number}",
        )
        event = ev.AttemptFailed(step=step.name, attempt=step.attempts[-1].number, failure=failure)
        fail_attempt(decision, event, command.jitter)


def _tells_of_start(attempt: AttemptState, report: Report) -> bool:
    """An executor repeats its newest report alone, so an end may be the first that is heard of a start.

    A success says by itself that it was. A failure that took no time is one before there was a process: the
    environment, an input, the store.
    """
    if attempt.status != "scheduled" or report.kind == "succeeded":
        return False
    return report.kind != "failed" or report.seconds > 0


def _is_known(attempt: AttemptState, report: Report) -> bool:
    """Does the record say already what this report says?"""
    if report.session != attempt.executor:
        return False
    if report.kind == "started":
        return attempt.status != "scheduled"
    if report.kind == "progressed":
        return _is_old_progress(attempt, report)
    if report.kind != attempt.status:
        return False
    return report.kind == "succeeded" or report.failure == attempt.failure


def _is_old_progress(attempt: AttemptState, report: Report) -> bool:
    if attempt.status not in ("scheduled", "running"):
        return True
    same = (attempt.fraction, attempt.message) == (report.fraction, report.message)
    return same and (report.checkpoint is UNSET or report.checkpoint == attempt.checkpoint)


def _staleness(step: StepState, attempt: AttemptState, report: Report) -> str:
    """Why the report can change nothing any more; empty when it can."""
    if report.session != attempt.executor:
        return f"the attempt belongs to executor {attempt.executor}, not {report.session}"
    if attempt.number != len(step.attempts):
        return f"attempt {len(step.attempts)} took its place"
    if attempt.ended_at is not None or not step.is_active:
        return f"the step is {step.status}"
    return ""


def _progressed(report: Report) -> ev.AttemptProgressed:
    return ev.AttemptProgressed(
        step=report.key.step,
        attempt=report.key.attempt,
        fraction=report.fraction,
        message=report.message,
        checkpoint=report.checkpoint,
    )


def _succeeded(report: Report) -> ev.AttemptSucceeded:
    return ev.AttemptSucceeded(
        step=report.key.step,
        attempt=report.key.attempt,
        outputs=report.outputs,
        reads=report.reads,
        seconds=report.seconds,
        max_rss_bytes=report.max_rss_bytes,
        log_lines=report.log_lines,
        metrics=report.metrics,
        executor=report.session,
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


# -- of inner runs ---------------------------------------------------------------------------------


def receive_child(decision: Decision, command: ReceiveChild) -> None:
    """The end of a run inside a step; taken in once, and only while the newest attempt is under way."""
    ended = command.ended
    step = decision.step(ended.step)
    children = step.children
    is_newest = bool(step.attempts) and step.attempts[-1].number == ended.attempt
    if not is_newest or not step.is_active or children is None or ended.index not in children.open:
        return
    if ended.status == "stopped" and not inner.is_to_stop(decision.state, step):
        ended = _stopped_by_hand(decision.state, step, ended)
    decision.add(ended)
    go_on(decision, step.name, command.jitter)


def go_on(decision: Decision, name: str, jitter: float = 0.5) -> None:
    """What follows from the inner runs that have ended: the next ones, or the end of the step's attempt."""
    failure = inner.next_move(decision, name)
    step = decision.step(name)
    if failure is None and step.is_active and _is_left_off(decision.state, step):
        message = "it was stopped before all of it had run"
        failure = Failure(kind="stopped", reason="STEP_STOPPED", message=message)
    if failure is None:
        after(decision, name)
        return
    event = ev.AttemptFailed(step=name, attempt=step.attempts[-1].number, failure=failure)
    fail_attempt(decision, event, jitter)


def go_on_all(decision: Decision) -> None:
    """The same for every step none of whose inner runs is open: nobody else would come back to it."""
    for step in decision.state.steps:
        if step.is_active and step.children is not None and not step.children.open:
            go_on(decision, step.name)


def _is_left_off(state: RunState, step: StepState) -> bool:
    """Has the last inner run ended, and will there be no other? In a paused run there may be one later."""
    if step.children is None or step.children.open:
        return False
    if step.status == "stopping":
        return True
    return not state.takes_work and (state.status != "paused" or state.is_broken)


def _stopped_by_hand(state: RunState, step: StepState, ended: ev.ChildEnded) -> ev.ChildEnded:
    """Nobody stopped the step: what the inner run has not given, its items too, counts as failed."""
    child = inner.child_id(state.created.run_id, ended.step, ended.attempt, ended.index)
    failure = Failure(kind="child", reason="CHILD_STOPPED", message=f"run {child} inside it was stopped")
    assert step.children is not None
    failed = step.children.sizes[ended.index] if step.children.sizes else 1
    return replace(ended, failure=failure if ended.failure is UNSET else ended.failure, failed=failed)


# -- failing ---------------------------------------------------------------------------------------


def fail_attempt(decision: Decision, event: ev.AttemptFailed, jitter: float) -> None:
    """The attempt has failed; what becomes of its step: stopped, tried again, held or failed."""
    was_stopping = decision.step(event.step).status == "stopping"
    decision.add(event)
    step = decision.step(event.step)
    declared = decision.declared(step.name)
    if was_stopping or decision.state.status == "stopping" or decision.state.forced:
        decision.add(ev.StepStopped(step=step.name))
    elif declared.effects == "unsafe" and event.failure.kind in INFRASTRUCTURE_KINDS:
        decision.add(ev.StepHeld(step=step.name, failure=_unsafe(step, event.failure)))
    elif (delay := _retry_delay(decision.state, step, event.failure, jitter)) is not None:
        at = decision.now + timedelta(seconds=delay)
        decision.add(ev.RetryScheduled(step=step.name, attempt=len(step.attempts) + 1, at=at))
    elif declared.retry.on_exhausted == "pause" and not decision.state.is_broken:
        decision.add(ev.StepHeld(step=step.name, failure=event.failure))
    else:
        decision.add(ev.StepFailed(step=step.name, failure=event.failure))
    after(decision, step.name)
    finish(decision)


def _unsafe(step: StepState, failure: Failure) -> Failure:
    message = (
        f"attempt {len(step.attempts)} is lost ({failure.message}) and may have had its effect; the step is "
        "unsafe to run again, so somebody has to look, and then retry or stop it"
    )
    return Failure(kind="unsafe", reason="MAY_HAVE_RUN", message=message)


def _retry_delay(state: RunState, step: StepState, failure: Failure, jitter: float) -> float | None:
    """Seconds until the next attempt; None when none is left. A retry by hand brings all of them anew."""
    by_platform = failure.kind in INFRASTRUCTURE_KINDS
    alike = [
        one
        for one in step.attempts[step.forgiven :]
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
