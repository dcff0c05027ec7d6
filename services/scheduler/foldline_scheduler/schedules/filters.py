"""CEL over events: which event may fire a trigger, and the values that it gives.

An expression sees one variable, `event`: the CloudEvent as JSON (`event.type`, `event.data.x`). Evaluation
cannot be interrupted and runs inside the scheduler's loop. So expressions are short, events are small, and
what could take more than linear time in an event's size many times over is refused: the macros map and
filter, and macros inside macros.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.firings import rfc3339
from foldline.domain.schedule_events import TriggerSettings
from foldline.domain.spec import Json
from foldline.domain.triggers import Verdict
from foldline.wire import cloudevents, incoming
from foldline_scheduler.streams import run_id_of, run_stream

if TYPE_CHECKING:
    import cel

_FAULTS = (LookupError, TypeError, ValueError, RuntimeError, ArithmeticError)
"""What the evaluator raises for an expression that does not fit the event."""

_TEXT = re.compile(
    r"""[rRbB]{0,2}(?:'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")""", re.DOTALL
)
_BRACKET = re.compile(r"(?:\.\s*(\w+)\s*)?\(|\)")
_BUILDING = frozenset({"map", "filter", "transformList", "transformMap", "transformMapEntry"})
_MACROS = frozenset({"all", "exists", "exists_one", "existsOne"})


@lru_cache(1024)
def compiled(expression: str) -> cel.Program:
    """The program. Raises ILLEGAL_EXPRESSION for what is no CEL, or what the rules above refuse."""
    import cel  # brings a command line of its own: a fifth of a second and 14 MB, for who has triggers

    _check_macros(expression)
    try:
        program = cel.compile(expression)
    except _FAULTS as error:
        raise _illegal(expression, _one_line(error)) from error
    unknown = [name for name in program.variables() if name not in ("event", *_bound(expression))]
    if unknown:
        raise _illegal(expression, f"{', '.join(unknown)} is not known; there is one variable, event")
    return program


def check(settings: TriggerSettings) -> None:
    """Raise ILLEGAL_EXPRESSION for the first expression that does not compile."""
    for expression in (settings.filter, *settings.parameters.values()):
        if expression:
            compiled(expression)


def judge(settings: TriggerSettings, body: bytes, own: str) -> Verdict:
    """What the trigger makes of an event; `own` is the actor of the trigger's own runs."""
    try:
        event = incoming.parse(body)
    except FoldlineError as error:
        return Verdict(reason="unreadable", message=error.message)
    about = {"source": event["source"], "event_id": event["id"], "event_type": event["type"]}
    about["run_id"] = _run_of(event)
    if event.get("actor") == own:
        return Verdict(**about, reason="own", message="a run of this trigger sent it")
    if settings.filter:
        try:
            answer = compiled(settings.filter).execute({"event": event})
        except (*_FAULTS, FoldlineError) as error:
            return Verdict(**about, reason="filter_failed", message=_one_line(error))
        if not isinstance(answer, bool):
            return Verdict(
                **about, reason="filter_failed", message=f"the filter gives {answer!r:.80}, not true or false"
            )
        if not answer:
            return Verdict(**about, reason="filtered", message="the filter is false")
    values: dict[str, Json] = {}
    for name, expression in settings.parameters.items():
        try:
            values[name] = _json(compiled(expression).execute({"event": event}))
        except (*_FAULTS, FoldlineError) as error:
            return Verdict(**about, reason="mapping_failed", message=f"parameter {name}: {_one_line(error)}")
    return Verdict(**about, values=values)


def _run_of(event: dict[str, Any]) -> str:
    """The run that a fact of ours is about, which may be a part of another; empty for other events."""
    subject = event.get("subject")
    if event["source"] != cloudevents.SOURCE or not isinstance(subject, str):
        return ""
    return run_id_of(subject) if subject.startswith(run_stream("")) else ""


def _check_macros(expression: str) -> None:
    """Walk through the calls, with texts taken out."""
    calls: list[str] = []
    for bracket in _BRACKET.finditer(_TEXT.sub("''", expression)):
        if bracket[0] == ")":
            if calls:
                calls.pop()
            continue
        name = bracket[1] or ""
        if name in _BUILDING:
            raise _illegal(expression, f"{name} is not taken here; all, exists and exists_one are")
        if name in _MACROS and any(call in _MACROS for call in calls):
            raise _illegal(expression, f"{name} stands inside another macro, which is not taken here")
        calls.append(name)


def _bound(expression: str) -> list[str]:
    """Names that macros bind: the x of exists(x, …)."""
    return re.findall(rf"\.\s*(?:{'|'.join(_MACROS)})\s*\(\s*(\w+)\s*,", _TEXT.sub("''", expression))


def _json(value: Any) -> Json:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return rfc3339(value)
        case timedelta():
            return value.total_seconds()
        case dict():
            return {str(key): _json(one) for key, one in value.items()}
        case list():
            return [_json(one) for one in value]
        case _:
            raise TypeError(f"{type(value).__name__} is no JSON value")


def _one_line(error: Exception) -> str:
    text = f"there is no {error}" if isinstance(error, KeyError) else str(error)
    return " ".join(text.split())[:300]


def _illegal(expression: str, rule: str) -> FoldlineError:
    return FoldlineError(Kind.INVALID, "ILLEGAL_EXPRESSION", f"CEL {expression[:80]!r}: {rule}", rule=rule)
