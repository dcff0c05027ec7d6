"""Questions to people and events from outside: what may be answered, and what an answer gives.

Outputs of a wait step: "approve" gives `approved`, `by` and `comment`; "values" gives one output per
field; "choose" gives `choice`; "event" gives `data`. Only those that the step declares are kept.
"""

from __future__ import annotations

from msgspec import UNSET

from foldline.domain import parameters
from foldline.domain import run_events as ev
from foldline.domain.artifacts import Artifact, inline
from foldline.domain.commands import Answer, AnswerWait, DeliverEvent
from foldline.domain.decision import Decision, Refused
from foldline.domain.errors import Kind
from foldline.domain.failures import Failure
from foldline.domain.spec import Json, Step, Wait


def outputs_of(wait: Wait) -> tuple[tuple[str, str], ...]:
    """Names and types of what an answer gives."""
    match wait.kind:
        case "approve":
            return (("approved", "bool"), ("by", "str"), ("comment", "str"))
        case "values":
            return tuple((field.name, field.type) for field in wait.fields)
        case "choose":
            return (("choice", "str"),)
        case _:
            return (("data", "json"),)


def answer(decision: Decision, command: AnswerWait) -> None:
    """A person's answer. Refused for a step that asks nothing, the wrong person and a wrong answer."""
    step, declared = decision.step(command.step), decision.declared(command.step)
    wait = declared.wait
    if wait is UNSET:
        raise Refused("NO_QUESTION", f"step {step.name} is of kind {step.kind}: it asks nobody anything")
    if step.status != "awaiting":
        raise Refused("NOT_ASKING", f"step {step.name} is {step.status}: there is nothing to answer")
    if wait.kind == "event":
        raise Refused("NO_QUESTION", f"step {step.name} waits for the event {wait.event}, not for an answer")
    if wait.assignee and wait.assignee != command.by:
        message = f"step {step.name} asks {wait.assignee} alone, not {command.by}"
        raise Refused("NOT_ASKED", message, Kind.FORBIDDEN)
    _take(decision, declared, _checked(declared, wait, command.answer), command)


def deliver(decision: Decision, command: DeliverEvent) -> None:
    """An event for every step that waits for it. Refused where none does."""
    waiting = [
        step.name
        for step in decision.state.steps
        if step.status == "awaiting" and _event_of(decision.declared(step.name)) == command.name
    ]
    if not waiting:
        raise Refused("NOBODY_WAITS", f"no step of the run waits for an event {command.name!r} now")
    for name in waiting:
        outputs = _outputs(decision.declared(name), {"data": command.data})
        decision.add(ev.WaitAnswered(step=name, outputs=outputs))


def expire(decision: Decision, name: str) -> None:
    """Nobody answered in time: what the step says is to happen then."""
    declared = decision.declared(name)
    wait = declared.wait
    assert wait is not UNSET
    action = wait.at_deadline or "fail"
    decision.add(ev.WaitExpired(step=name, action=action))
    match action:
        case "skip":
            decision.add(ev.StepSkipped(step=name, reason="deadline"))
        case "approve" | "reject":
            values: dict[str, Json] = {"approved": action == "approve", "by": "deadline", "comment": ""}
            _settle_approval(decision, declared, values)
        case "default":
            if wait.kind == "choose":
                values = {"choice": wait.choices[0]}
            else:
                values = {field.name: field.default for field in wait.fields}
            decision.add(ev.WaitAnswered(step=name, outputs=_outputs(declared, values)))
        case _:
            message = f"nobody answered within {wait.deadline_seconds:g} s"
            failure = Failure(kind="timeout", reason="NOT_ANSWERED", message=message)
            decision.add(ev.StepFailed(step=name, failure=failure))


def _event_of(declared: Step) -> str:
    return declared.wait.event if declared.wait is not UNSET and declared.wait.kind == "event" else ""


def _checked(declared: Step, wait: Wait, given: Answer) -> dict[str, Json]:
    match wait.kind:
        case "approve":
            if given.approved is UNSET:
                raise Refused("NO_ANSWER", f"step {declared.name} asks for yes or no", Kind.INVALID)
            return {"approved": given.approved, "comment": given.comment}
        case "choose":
            if given.choice not in wait.choices:
                message = f"step {declared.name} offers {', '.join(wait.choices)}, not {given.choice!r}"
                raise Refused("NOT_A_CHOICE", message, Kind.INVALID)
            return {"choice": given.choice}
        case _:
            return parameters.check(wait.fields, given.values)


def _take(decision: Decision, declared: Step, values: dict[str, Json], command: AnswerWait) -> None:
    if "approved" in values and declared.wait is not UNSET and declared.wait.kind == "approve":
        _settle_approval(decision, declared, values | {"by": command.by})
    else:
        outputs = _outputs(declared, values)
        decision.add(ev.WaitAnswered(step=declared.name, outputs=outputs, comment=command.answer.comment))


def _settle_approval(decision: Decision, declared: Step, values: dict[str, Json]) -> None:
    assert declared.wait is not UNSET
    by, comment = str(values["by"]), str(values["comment"])
    if values["approved"] or declared.wait.at_rejection == "continue":
        outputs = _outputs(declared, values)
        decision.add(ev.WaitAnswered(step=declared.name, outputs=outputs, comment=comment))
        return
    message = f"{by} said no{': ' if comment else ''}{comment}"
    failure = Failure(kind="rejected", reason="REJECTED", message=message)
    decision.add(ev.StepFailed(step=declared.name, failure=failure))


def _outputs(declared: Step, values: dict[str, Json]) -> dict[str, Artifact]:
    return {one.name: inline(values[one.name]) for one in declared.outputs if one.name in values}
