"""Why each step of a run that is not running is not, as far as the run itself knows. Pure.

QUEUED and RECALL are for the scheduler to say more of: what is in the way in the queue, and whether an equal
attempt is under way elsewhere. Everything else follows from the record alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from msgspec import UNSET, Struct

from foldline.domain.check_kinds import COMPOSITE
from foldline.domain.run import RunState, StepState, wants_recall
from foldline.domain.spec import Step

NAMED = 5
"""So many steps are named in a sentence; of the others the number is."""


class WaitingStep(Struct, frozen=True, kw_only=True):
    """A step that has not ended and does not run. Mirrors the message of that name."""

    run_id: str
    step: str
    reason: str
    message: str
    since: datetime | None = None


def why_waiting(state: RunState, now: datetime) -> tuple[WaitingStep, ...]:
    """In the graph's order. A step whose inner runs are under way counts as waiting for these."""
    if state.is_final:
        return ()
    found = []
    for declared, step in zip(state.plan.graph.steps, state.steps, strict=True):
        why = _why(state, declared, step, now)
        if why is not None:
            reason, message, since = why
            found.append(
                WaitingStep(
                    run_id=state.created.run_id, step=step.name, reason=reason, message=message, since=since
                )
            )
    return tuple(found)


_Why = tuple[str, str, datetime | None]


def _why(state: RunState, declared: Step, step: StepState, now: datetime) -> _Why | None:
    match step.status:
        case "awaiting":
            return _awaiting(declared, step)
        case "asking":
            names = _named(step.asked)
            return "PARAMETERS", f"it waits for values of {names}", step.ready_at
        case "held":
            said = step.failure.message if step.failure else step.note
            return "HELD", f"it is held until somebody retries or stops it: {said}", _ended_at(step)
        case "scheduled":
            attempt = step.attempts[-1]
            message = f"attempt {attempt.number} was given to executor {attempt.executor} and has not started"
            return "STARTING", message, attempt.scheduled_at
        case "running" | "stopping" if step.children is not None:
            return _children(declared, step)
        case "waiting" | "retrying":
            return _not_begun(state, declared, step, now)
        case _:
            return None


def _awaiting(declared: Step, step: StepState) -> _Why:
    wait = declared.wait
    assert wait is not UNSET, "only wait steps are awaiting"
    until = f", until {_moment(step.deadline)}" if step.deadline else ""
    if wait.kind == "event":
        return "EVENT", f"it waits for the event {wait.event}{until}", step.started_at
    who = wait.assignee or "somebody"
    asked = {"approve": "approve or reject", "choose": f"choose one of {', '.join(wait.choices)}"}
    what = asked.get(wait.kind, f"give {_named(tuple(field.name for field in wait.fields))}")
    return "ANSWER", f"it waits for {who} to {what}{until}", step.started_at


def _children(declared: Step, step: StepState) -> _Why | None:
    children, attempt = step.children, step.attempts[-1]
    assert children is not None, "asked for by the caller"
    count = len(children.open)
    if not count:
        return None
    open_runs = "1 run inside it is" if count == 1 else f"{count} runs inside it are"
    message = f"{open_runs} under way"
    if declared.map is not UNSET:
        done, total = children.succeeded + children.failed, sum(children.sizes)
        message = f"{done} of {total} items have ended; {message}"
    elif declared.repeat is not UNSET:
        message = f"iteration {children.started} of at most {declared.repeat.max_iterations}; {message}"
    return "CHILDREN", message, attempt.started_at


def _not_begun(state: RunState, declared: Step, step: StepState, now: datetime) -> _Why:
    since = step.ready_at
    if state.status == "stopping" or state.forced:
        return "STOPPING", "the run is being stopped; nothing new starts", since
    if declared.handles and state.status != "ending":
        when = "has ended" if declared.handles == "exit" else "has failed"
        return "HANDLER", f"it runs once the rest of the run {when}", None
    if step.status == "waiting" and step.open_needs:
        names = _named(tuple(_open_needs(state, step)))
        return "UPSTREAM", f"it waits for {names}", None
    if state.status == "paused":
        return "PAUSED", "the run is paused; nothing new starts until it is resumed", since
    if not state.takes_work or not state.is_in_play(step):
        return "STOPPING", "a step of the run failed; nothing new starts, and what runs is let end", since
    if step.status == "retrying" and step.retry_at is not None:
        if step.retry_at > now:
            message = f"attempt {len(step.attempts) + 1} may start from {_moment(step.retry_at)}"
            return "RETRY", message, _ended_at(step)
        since = step.retry_at
    elif wants_recall(state, step):
        return "RECALL", "it is looked up whether an equal attempt is known", since
    if step.kind in COMPOSITE:
        return "BEGINNING", "it is about to begin", since
    return "QUEUED", "it waits for an executor", since


def _open_needs(state: RunState, step: StepState) -> Iterator[str]:
    for place in state.plan.needs[state.plan.index[step.name]]:
        if not state.steps[place].is_final:
            yield state.steps[place].name


def _ended_at(step: StepState) -> datetime | None:
    return step.attempts[-1].ended_at if step.attempts else step.ready_at


def _named(names: tuple[str, ...]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
