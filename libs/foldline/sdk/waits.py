"""Questions to people, and events from outside: steps that wait and hold no executor.

    answer = fl.approve("Publish the model?", assignee="ada", deadline=timedelta(days=2), accuracy=accuracy)
    form = fl.ask("How shall it be trained?", Training)
    pick = fl.choose("Which model?", ["small", "large"])
    labels = fl.wait_for_event("labels-ready")

Further inputs by name are shown to the person who is asked. What a deadline does is said with `at_deadline`:
"fail", "skip" (the step, and what needs it), "default" (the fields' defaults, the first choice), and for
an approval "approve" or "reject".

Standard library alone: step processes import it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

from foldline.sdk import params
from foldline.sdk.hints import Outputs
from foldline.sdk.policies import Seconds, seconds
from foldline.sdk.problems import call_site
from foldline.sdk.references import Result
from foldline.sdk.tracing import Node, required

Form = TypeVar("Form")


class Approval(NamedTuple):
    """What an approval gives."""

    approved: bool
    by: str
    comment: str


class Choice(NamedTuple):
    """What a choice gives."""

    choice: str


class Event(NamedTuple):
    """What an event from outside gives: its data."""

    data: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a wait step waits for."""

    kind: Literal["approve", "values", "choose", "event"]
    prompt: str = ""
    fields: tuple[params.Param, ...] = ()
    choices: tuple[str, ...] = ()
    assignee: str = ""
    deadline: float = 0.0
    at_deadline: str = ""
    at_rejection: str = ""
    event: str = ""


def approve(
    prompt: str,
    /,
    *,
    assignee: str = "",
    deadline: Seconds = 0.0,
    at_deadline: Literal["fail", "skip", "approve", "reject"] = "fail",
    at_rejection: Literal["fail", "continue"] = "fail",
    name: str = "",
    **shown: object,
) -> Approval:
    """Ask for yes or no. A no fails the run, or with at_rejection="continue" gives `approved` as false."""
    question = Question(
        kind="approve",
        prompt=prompt,
        assignee=assignee,
        deadline=seconds(deadline),
        at_deadline=_unless_fail(at_deadline),
        at_rejection=_unless_fail(at_rejection),
    )
    outputs = (("approved", "bool"), ("by", "str"), ("comment", "str"))
    return _wait("fl.approve", "approve", question, outputs, name, shown)  # type: ignore[return-value]  # a placeholder for it


def ask(
    prompt: str,
    form: type[Form],
    /,
    *,
    assignee: str = "",
    deadline: Seconds = 0.0,
    at_deadline: Literal["fail", "skip", "default"] = "fail",
    name: str = "",
    **shown: object,
) -> Form:
    """Ask for values: the fields of `form`, a NamedTuple, dataclass or TypedDict.

    A field may have a default, or an `fl.param(...)` with bounds, choices and words. The result has one
    output per field.
    """
    trace = required("fl.ask")
    fields, problems = params.form_of(form, call_site())
    trace.problems.extend(problems)
    question = Question(
        kind="values",
        prompt=prompt,
        fields=tuple(fields),
        assignee=assignee,
        deadline=seconds(deadline),
        at_deadline=_unless_fail(at_deadline),
    )
    outputs = tuple((field.name, field.type) for field in fields)
    return _wait("fl.ask", "ask", question, outputs, name, shown)  # type: ignore[return-value]  # a placeholder for it


def choose(
    prompt: str,
    choices: Sequence[str],
    /,
    *,
    assignee: str = "",
    deadline: Seconds = 0.0,
    at_deadline: Literal["fail", "skip", "default"] = "fail",
    name: str = "",
    **shown: object,
) -> Choice:
    """Ask for one of `choices`."""
    question = Question(
        kind="choose",
        prompt=prompt,
        choices=tuple(choices),
        assignee=assignee,
        deadline=seconds(deadline),
        at_deadline=_unless_fail(at_deadline),
    )
    return _wait("fl.choose", "choose", question, (("choice", "str"),), name, shown)  # type: ignore[return-value]  # a placeholder for it


def wait_for_event(
    event: str,
    /,
    *,
    deadline: Seconds = 0.0,
    at_deadline: Literal["fail", "skip"] = "fail",
    name: str = "",
    **shown: object,
) -> Event:
    """Wait until somebody tells the run of the event of this name; its data are the result."""
    question = Question(
        kind="event", event=event, deadline=seconds(deadline), at_deadline=_unless_fail(at_deadline)
    )
    return _wait("fl.wait_for_event", "event", question, (("data", "json"),), name, shown)  # type: ignore[return-value]  # a placeholder for it


def _unless_fail(action: str) -> str:
    return "" if action == "fail" else action


def _wait(
    what: str,
    base: str,
    question: Question,
    outputs: tuple[tuple[str, str], ...],
    name: str,
    shown: Mapping[str, object],
) -> Result:
    trace = required(what)
    node = Node(base, call_site(), question, Outputs(outputs, is_record=True), explicit=name)
    trace.add(node)
    trace.give(node, shown)
    return Result(node)
