"""What a run waits for that only somebody outside can give, and how a reply becomes a command.

A reply is plain JSON. To "approve" yes or no, or {"approved": …, "comment": …}; to "choose" the choice; to
"values" and "parameters" an object; to "event" its data; to "held", a step that may not go on by itself,
"retry" or "stop".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from msgspec import UNSET

from foldline.domain import commands, paths
from foldline.domain.commands import Answer
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.failures import Failure
from foldline.domain.problems import hint
from foldline.domain.run import RunState, StepState
from foldline.domain.spec import Graph, Json, Parameter, Wait
from foldline.domain.values import Unresolvable, input_of
from foldline.domain.work import Input

PERSON = "local"

_YES = ("yes", "y", "true")
_NO = ("no", "n", "false")


class Typed(str):
    """A reply as a person typed it: what it means depends on the question."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """`place` names the step by those around it; `problem` is what was wrong with the reply before."""

    run_id: str
    step: str
    place: str
    kind: str  # "approve", "values", "choose", "event", "parameters", "held"
    attempt: int = 0
    prompt: str = ""
    choices: tuple[str, ...] = ()
    fields: tuple[Parameter, ...] = ()
    event: str = ""
    assignee: str = ""
    shown: dict[str, Input] = {}
    failure: Failure | None = None
    has_deadline: bool = False
    problem: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """Of one question, however often it is looked at."""
        names = [field.name for field in self.fields]
        return (self.run_id, self.step, self.kind, str(self.attempt), *names)


def questions(state: RunState) -> Iterator[Question]:
    """What the run asks now."""
    for step in state.steps:
        if step.status in ("asking", "awaiting", "held"):
            yield _question(state, step)


def command_for(question: Question, reply: Json) -> commands.Command:
    """Raises INVALID ILLEGAL_ANSWER for a reply that is none to this question."""
    if isinstance(reply, Typed):
        reply = _parsed(question, reply)
    step, by = question.step, question.assignee or PERSON
    match question.kind, reply:
        case "approve", bool():
            return commands.AnswerWait(step, Answer(approved=reply), by)
        case "approve", {"approved": bool(approved), **rest}:
            comment = str(rest.get("comment", ""))
            return commands.AnswerWait(step, Answer(approved=approved, comment=comment), by)
        case "choose", str():
            return commands.AnswerWait(step, Answer(choice=reply), by)
        case "values", dict():
            return commands.AnswerWait(step, Answer(values=reply), by)
        case "parameters", dict():
            return commands.ProvideParameters(reply)
        case "event", _:
            return commands.DeliverEvent(question.event, reply, by)
        case "held", "retry":
            return commands.RetrySteps((step,))
        case "held", "stop":
            return commands.StopStep(step)
    raise _illegal(question, reply)


def expected(question: Question) -> str:
    """What a reply looks like, in a few words."""
    match question.kind:
        case "approve":
            return "yes or no"
        case "choose":
            return f"one of {', '.join(question.choices)}"
        case "held":
            return "retry or stop"
        case "event":
            return "the event's data as JSON"
        case _:
            return f"a JSON object with {', '.join(field.name for field in question.fields)}"


def unanswered(question: Question) -> str:
    """A sentence for whoever could have answered."""
    place = question.place
    match question.kind:
        case "parameters":
            names = [field.name for field in question.fields]
            options = " ".join(f"--set {name}=…" for name in names)
            return f"step {place} needs a value of {', '.join(names)}; give {options}"
        case "held":
            why = "" if question.failure is None else f": {question.failure.message}"
            return f"step {place} is held{why}; --answer {place}=retry or {place}=stop decides"
        case "event":
            return f"step {place} waits for the event {question.event}; give --answer {place}=DATA (JSON)"
        case _:
            asks = f" ({question.prompt})" if question.prompt else ""
            return f"step {place} asks for an answer{asks}; give --answer {place}=… with {expected(question)}"


def find(answers: Mapping[str, Json], question: Question) -> Json:
    """The reply that was given beforehand: for the step's place or for its bare name; UNSET for none."""
    bare = question.place.rpartition("/")[2]
    return next((answers[name] for name in (question.place, bare, question.step) if name in answers), UNSET)


def check_names(answers: Mapping[str, Json], graph: Graph) -> None:
    """Raises NOT_FOUND for an answer to a step that there is nowhere in the workflow."""
    known = set(_places(graph, ""))
    for name in answers:
        if name not in known:
            message = f"an answer is given for step {name}, which there is not{hint(name, known)}"
            raise FoldlineError(Kind.NOT_FOUND, "UNKNOWN_STEP", message)


def _places(graph: Graph, before: str) -> Iterator[str]:
    for step in graph.steps:
        yield step.name
        yield before + step.name
        if step.body is not UNSET:
            yield from _places(step.body.graph, f"{before}{step.name}/")


def _question(state: RunState, step: StepState) -> Question:
    declared = state.plan.step(step.name)
    wait = Wait(kind="held") if declared.wait is UNSET else declared.wait
    kind = {"asking": "parameters", "held": "held"}.get(step.status, wait.kind)
    fields = wait.fields
    if kind == "parameters":
        fields = tuple(one for one in state.plan.graph.parameters if one.name in step.asked)
    return Question(
        run_id=state.created.run_id,
        step=step.name,
        place=paths.shown(paths.path_of(state.created.run_id, step.name)),
        kind=kind,
        attempt=len(step.attempts),
        prompt=wait.prompt,
        choices=wait.choices,
        fields=fields,
        event=wait.event,
        assignee=wait.assignee,
        shown=_shown(state, step.name) if kind not in ("parameters", "held") else {},
        failure=step.failure,
        has_deadline=step.deadline is not None,
    )


def _shown(state: RunState, name: str) -> dict[str, Input]:
    """What the step takes, for whoever is to judge it."""
    found = {}
    for key, binding in state.plan.step(name).inputs.items():
        try:
            found[key] = input_of(state, binding)
        except Unresolvable:
            continue
    return found


def _parsed(question: Question, text: str) -> Json:
    if question.kind == "approve" and text.lower() in (*_YES, *_NO):
        return text.lower() in _YES
    if question.kind in ("choose", "held"):
        return str(text)
    try:
        return msgspec.json.decode(str(text))  # its own kind of str it does not take
    except msgspec.DecodeError as error:
        raise _illegal(question, str(text)) from error


def _illegal(question: Question, reply: Json) -> FoldlineError:
    message = f"step {question.place} expects {expected(question)}, not {reply!r}"
    return FoldlineError(Kind.INVALID, "ILLEGAL_ANSWER", message)
