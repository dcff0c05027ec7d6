"""A trigger: what starts runs on events. `evolve` folds stream trigger-<workspace>.<name>; the rest decides.

Law: pure. What CEL says about an event is computed outside and handed in as a `Verdict`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from foldline.domain import names
from foldline.domain import schedule_events as ev
from foldline.domain.checks import NAME, NAME_RULE
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.run_events import Event
from foldline.domain.schedule_events import TriggerSettings
from foldline.domain.schedules import check_texts
from foldline.domain.spec import Json

EXPRESSION_LIMIT = 1000
SUBJECT_LIMIT = 200

_TOKEN = re.compile(r"[!-~]+")


class Fired(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was started and has not ended, as far as the stream knows."""

    run_id: str
    values: dict[str, Json] = {}
    causes: tuple[str, ...] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What filter and mapping made of one CloudEvent; `reason` is empty where it may fire."""

    source: str = ""
    event_id: str = ""
    event_type: str = ""
    values: dict[str, Json] = {}
    run_id: str = ""  # the run of ours that the event is about
    reason: str = ""
    message: str = ""


class TriggerState(msgspec.Struct, frozen=True, kw_only=True):
    workspace: str
    trigger: str
    settings: TriggerSettings
    secret_digest: str
    created_at: datetime
    updated_at: datetime
    is_deleted: bool = False
    open: tuple[Fired, ...] = ()
    last_run_id: str = ""
    last_at: datetime | None = None


def evolve(state: TriggerState | None, event: Event, at: datetime) -> TriggerState:
    if isinstance(event, ev.TriggerCreated):
        return TriggerState(
            workspace=event.workspace,
            trigger=event.trigger,
            settings=event.settings,
            secret_digest=event.secret_digest,
            created_at=at,
            updated_at=at,
            open=() if state is None else state.open,
        )
    if state is None:
        raise _misplaced(event)
    return msgspec.structs.replace(state, **_changes(state, event, at))


def _changes(state: TriggerState, event: Event, at: datetime) -> dict[str, Any]:
    match event:
        case ev.TriggerChanged():
            return {"settings": event.settings, "updated_at": at}
        case ev.TriggerDeleted():
            return {"is_deleted": True, "updated_at": at}
        case ev.TriggerFired():
            fired = Fired(run_id=event.run_id, values=event.values, causes=event.causes)
            return {"open": (*state.open, fired), "last_run_id": event.run_id, "last_at": at}
        case ev.TriggerIgnored():
            return {}
        case ev.FiredRunEnded() | ev.FiredRunRefused():
            return {"open": tuple(one for one in state.open if one.run_id != event.run_id)}
        case _:
            raise _misplaced(event)


def prepared(settings: TriggerSettings, workspace: str) -> TriggerSettings:
    """The settings where they can be carried out; CEL is compiled elsewhere. Raises INVALID."""
    names.workflow(settings.workflow)
    if settings.subject:
        check_subject(settings.subject, workspace)
    check_texts(settings.description, settings.values)
    for what, expression in [("filter", settings.filter), *settings.parameters.items()]:
        if len(expression) > EXPRESSION_LIMIT:
            raise _illegal(f"{what}: an expression has at most {EXPRESSION_LIMIT} characters")
    for name in settings.parameters:
        if not NAME.fullmatch(name):
            raise _illegal(f"parameter {name[:80]!r}: a name has {NAME_RULE}")
        if name in settings.values:
            raise _illegal(f"parameter {name} comes from the event, so it has no other value")
    return settings


def check_subject(subject: str, workspace: str) -> None:
    """Raise ILLEGAL_SUBJECT for what is no subject, or one on which others are talked about."""
    tokens = subject.split(".")
    legal = len(subject) <= SUBJECT_LIMIT and all(
        _TOKEN.fullmatch(token) and (token in ("*", ">") or not set(token) & set("*>")) for token in tokens
    )
    if not legal or ">" in tokens[:-1]:
        raise _illegal_subject(
            subject, "a NATS subject has words with dots between, of which * and a last > are any"
        )
    if tokens[0] in ("*", ">") or tokens[0].startswith(("$", "_")):
        raise _illegal_subject(subject, "its first word is a name of your own")
    if tokens[0] == "foldline" and tokens[1:3] != ["event", workspace]:
        raise _illegal_subject(
            subject, f"of Foldline's own subjects foldline.event.{workspace}.> alone is open"
        )


def require(state: TriggerState | None, workspace: str, trigger: str) -> TriggerState:
    if state is None or state.is_deleted:
        raise FoldlineError(
            Kind.NOT_FOUND,
            "TRIGGER_NOT_FOUND",
            f"workspace {workspace} has no trigger {trigger}",
            workspace=workspace,
            trigger=trigger,
        )
    return state


def create(state: TriggerState | None, created: ev.TriggerCreated) -> Sequence[ev.ScheduleEvent]:
    if state is not None and not state.is_deleted:
        raise FoldlineError(
            Kind.ALREADY_EXISTS,
            "TRIGGER_EXISTS",
            f"workspace {created.workspace} has a trigger {created.trigger} already",
            trigger=created.trigger,
        )
    return [created]


def change(state: TriggerState, settings: TriggerSettings) -> Sequence[ev.ScheduleEvent]:
    return [] if settings == state.settings else [ev.TriggerChanged(settings=settings)]


def delete(_state: TriggerState) -> Sequence[ev.ScheduleEvent]:
    return [ev.TriggerDeleted()]


def actor(workspace: str, trigger: str) -> str:
    """In whose name a trigger's runs are started, and how they name their cause."""
    return f"trigger:{workspace}/{trigger}"


def caused(verdict: Verdict, own: str, causes: Sequence[str]) -> Verdict:
    """The verdict on an event of a run that the triggers `causes` led to: none of them fires on it, so no
    trigger starts itself again, be it by way of others.
    """
    if own not in causes:
        return verdict
    others = [cause for cause in causes[causes.index(own) + 1 :] if cause != own]
    way = f", by way of {' and '.join(others)}" if others else ""
    message = f"this trigger led to run {verdict.run_id}, which it is about{way}"
    return msgspec.structs.replace(verdict, reason="own", message=message)


def receive(
    state: TriggerState, verdict: Verdict, run_id: str, count: int = 1, causes: Sequence[str] = ()
) -> Sequence[ev.ScheduleEvent]:
    """An event whose run does not exist yet: it fires, or is ignored with its reason.

    `causes` are the triggers that led to the event.
    """
    if verdict.reason:
        return [
            ev.TriggerIgnored(
                source=verdict.source,
                event_id=verdict.event_id,
                event_type=verdict.event_type,
                reason=verdict.reason,
                message=verdict.message,
                count=count,
            )
        ]
    if any(one.run_id == run_id for one in state.open):
        return []
    return [
        ev.TriggerFired(
            source=verdict.source,
            event_id=verdict.event_id,
            event_type=verdict.event_type,
            run_id=run_id,
            values={**state.settings.values, **verdict.values},
            causes=(*causes, actor(state.workspace, state.trigger)),
        )
    ]


def end_run(state: TriggerState, run_id: str, status: str) -> Sequence[ev.ScheduleEvent]:
    is_open = any(one.run_id == run_id for one in state.open)
    return [ev.FiredRunEnded(run_id=run_id, status=status)] if is_open else []


def refuse_run(state: TriggerState, run_id: str, reason: str, message: str) -> Sequence[ev.ScheduleEvent]:
    is_open = any(one.run_id == run_id for one in state.open)
    return [ev.FiredRunRefused(run_id=run_id, reason=reason, message=message)] if is_open else []


def _illegal(rule: str) -> FoldlineError:
    return FoldlineError(Kind.INVALID, "ILLEGAL_SETTINGS", rule, rule=rule)


def _illegal_subject(subject: str, rule: str) -> FoldlineError:
    return FoldlineError(Kind.INVALID, "ILLEGAL_SUBJECT", f"subject {subject[:80]!r}: {rule}", rule=rule)


def _misplaced(event: Event) -> FoldlineError:
    name = type(event).__name__
    return FoldlineError(Kind.INTERNAL, "EVENT_MISPLACED", f"{name} does not belong there", type=name)
