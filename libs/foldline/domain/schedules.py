"""A schedule: its state, and what a person may do with it. `firings` has what the clock does with it.

`evolve` folds the events of stream schedule-<workspace>.<name>; the other functions give the events to append
(none where everything is so already) or raise the reason to refuse. Law: pure; `now` is given.

`considered` is the last scheduled time that was decided about, or the moment from which on times count. It
only grows, so no clock that is set back makes a time come again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import msgspec

from foldline.domain import calendar, names
from foldline.domain import schedule_events as ev
from foldline.domain.artifacts import INLINE_LIMIT_BYTES
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.releases import canonical
from foldline.domain.run_events import Event
from foldline.domain.schedule_events import ScheduleSettings, Times

DEFAULT_CATCH_UP_SECONDS = 60
SHORTEST_CATCH_UP_SECONDS = 10
LONGEST_CATCH_UP_SECONDS = 366 * 24 * 3600
LONGEST_JITTER_SECONDS = 24 * 3600
DESCRIPTION_LIMIT = 1000
LARGEST_PARALLELISM = 100

_TICK = timedelta(microseconds=1)


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was started and has not ended, as far as the stream knows."""

    at: datetime
    run_id: str
    backfill: str = ""


class BackfillState(msgspec.Struct, frozen=True, kw_only=True):
    """A backfill that goes on; `cursor` is the last time that it fired."""

    backfill: str
    first: datetime
    last: datetime
    parallelism: int
    times: Times
    cursor: datetime
    fired: int = 0


class ScheduleState(msgspec.Struct, frozen=True, kw_only=True):
    workspace: str
    schedule: str
    settings: ScheduleSettings
    created_at: datetime
    updated_at: datetime
    considered: datetime
    is_paused: bool = False
    pause_reason: str = ""
    is_deleted: bool = False
    open: tuple[Firing, ...] = ()
    waiting: datetime | None = None
    last: Firing | None = None
    backfills: tuple[BackfillState, ...] = ()

    @property
    def own(self) -> tuple[Firing, ...]:
        """The open runs that no backfill started."""
        return tuple(firing for firing in self.open if not firing.backfill)

    def of_backfill(self, backfill: str) -> int:
        """How many runs of a backfill are open."""
        return sum(firing.backfill == backfill for firing in self.open)


def evolve(state: ScheduleState | None, event: Event, at: datetime) -> ScheduleState:
    match event:
        case ev.ScheduleCreated():
            return ScheduleState(
                workspace=event.workspace,
                schedule=event.schedule,
                settings=event.settings,
                created_at=at,
                updated_at=at,
                considered=at if state is None else max(state.considered, at),
                open=() if state is None else state.open,
            )
        case _ if state is None:
            raise _misplaced(event)
    changes = _changes(state, event, at)
    return msgspec.structs.replace(state, **changes)


def _changes(state: ScheduleState, event: Event, at: datetime) -> dict[str, Any]:
    match event:
        case ev.ScheduleChanged():
            return {
                "settings": event.settings,
                "updated_at": at,
                "considered": max(state.considered, at),
            }
        case ev.SchedulePaused():
            return {"is_paused": True, "pause_reason": event.reason, "updated_at": at}
        case ev.ScheduleResumed():
            considered = max(state.considered, at)
            return {"is_paused": False, "pause_reason": "", "updated_at": at, "considered": considered}
        case ev.ScheduleDeleted():
            return {"is_deleted": True, "backfills": (), "updated_at": at, "waiting": None}
        case ev.ScheduleFired():
            return _fired(state, event)
        case ev.ScheduleQueued():
            return {"waiting": event.at, "considered": max(state.considered, event.at)}
        case ev.ScheduleSkipped():
            waiting = None if state.waiting == event.at else state.waiting
            return {"waiting": waiting, "considered": max(state.considered, event.until)}
        case ev.FiredRunEnded() | ev.FiredRunRefused():
            return {"open": tuple(one for one in state.open if one.run_id != event.run_id)}
        case ev.BackfillRequested():
            return {"backfills": (*state.backfills, _backfill(state, event))}
        case ev.BackfillCancelled() | ev.BackfillCompleted():
            left = tuple(one for one in state.backfills if one.backfill != event.backfill)
            return {"backfills": left}
        case _:
            raise _misplaced(event)


def _fired(state: ScheduleState, event: ev.ScheduleFired) -> dict[str, Any]:
    firing = Firing(at=event.at, run_id=event.run_id, backfill=event.backfill)
    opened = (*state.open, firing)
    if event.backfill:
        moved = tuple(
            msgspec.structs.replace(one, cursor=event.at, fired=one.fired + 1)
            if one.backfill == event.backfill
            else one
            for one in state.backfills
        )
        return {"open": opened, "backfills": moved}
    waiting = None if state.waiting == event.at else state.waiting
    return {
        "open": opened,
        "last": firing,
        "waiting": waiting,
        "considered": max(state.considered, event.at),
    }


def _backfill(state: ScheduleState, event: ev.BackfillRequested) -> BackfillState:
    return BackfillState(
        backfill=event.backfill,
        first=event.first,
        last=event.last,
        parallelism=event.parallelism,
        times=state.settings.times,
        cursor=event.first - _TICK,
    )


def prepared(settings: ScheduleSettings) -> ScheduleSettings:
    """The settings with their defaults, where they can be carried out. Raises INVALID."""
    names.workflow(settings.workflow)
    calendar.check(settings.times)
    catch_up = settings.catch_up_seconds or DEFAULT_CATCH_UP_SECONDS
    if not SHORTEST_CATCH_UP_SECONDS <= catch_up <= LONGEST_CATCH_UP_SECONDS:
        rule = f"{SHORTEST_CATCH_UP_SECONDS} s to {LONGEST_CATCH_UP_SECONDS} s"
        raise _illegal(f"the catch-up window has {rule}, not {catch_up} s")
    if not 0 <= settings.jitter_seconds <= LONGEST_JITTER_SECONDS:
        raise _illegal(f"jitter has 0 to {LONGEST_JITTER_SECONDS} s, not {settings.jitter_seconds} s")
    check_texts(settings.description, settings.values)
    if settings.time_parameter and settings.time_parameter in settings.values:
        raise _illegal(
            f"parameter {settings.time_parameter} gets the scheduled time, so it has no other value"
        )
    return msgspec.structs.replace(settings, catch_up_seconds=catch_up)


def check_texts(description: str, values: dict[str, Any]) -> None:
    """Raise ILLEGAL_SETTINGS for what is too long for an event."""
    if len(description) > DESCRIPTION_LIMIT:
        raise _illegal(f"a description has at most {DESCRIPTION_LIMIT} characters")
    if len(canonical(values)) > INLINE_LIMIT_BYTES:
        raise _illegal(f"the values have at most {INLINE_LIMIT_BYTES} bytes as JSON")


def require(state: ScheduleState | None, workspace: str, schedule: str) -> ScheduleState:
    if state is None or state.is_deleted:
        raise FoldlineError(
            Kind.NOT_FOUND,
            "SCHEDULE_NOT_FOUND",
            f"workspace {workspace} has no schedule {schedule}",
            workspace=workspace,
            schedule=schedule,
        )
    return state


def create(
    state: ScheduleState | None, created: ev.ScheduleCreated, now: datetime
) -> Sequence[ev.ScheduleEvent]:
    if state is not None and not state.is_deleted:
        raise FoldlineError(
            Kind.ALREADY_EXISTS,
            "SCHEDULE_EXISTS",
            f"workspace {created.workspace} has a schedule {created.schedule} already",
            schedule=created.schedule,
        )
    _require_future(created.settings.times, now)
    return [created]


def change(state: ScheduleState, settings: ScheduleSettings, now: datetime) -> Sequence[ev.ScheduleEvent]:
    """New settings. Times up to now that were not decided about go by the reason of the change."""
    if settings == state.settings:
        return []
    if settings.times != state.settings.times:
        _require_future(settings.times, now)
    return [
        *skipped(state, now, "paused" if state.is_paused else "changed"),
        ev.ScheduleChanged(settings=settings),
    ]


def pause(state: ScheduleState, reason: str, now: datetime) -> Sequence[ev.ScheduleEvent]:
    if state.is_paused:
        return []
    check_texts(reason, {})
    return [*_let_go(state, "paused"), *skipped(state, now, "paused"), ev.SchedulePaused(reason=reason)]


def resume(state: ScheduleState, now: datetime) -> Sequence[ev.ScheduleEvent]:
    if not state.is_paused:
        return []
    return [*skipped(state, now, "paused"), ev.ScheduleResumed()]


def delete(state: ScheduleState, now: datetime) -> Sequence[ev.ScheduleEvent]:
    cancelled = [ev.BackfillCancelled(backfill=one.backfill) for one in state.backfills]
    return [
        *cancelled,
        *_let_go(state, "deleted"),
        *skipped(state, now, "paused" if state.is_paused else "deleted"),
        ev.ScheduleDeleted(),
    ]


def request_backfill(
    state: ScheduleState, request: ev.BackfillRequested, now: datetime
) -> Sequence[ev.ScheduleEvent]:
    if any(one.backfill == request.backfill for one in state.backfills):
        return []
    if request.last > now or request.first > request.last:
        raise _illegal_backfill(
            "a range begins before it ends, and ends in the past; times to come fire by themselves"
        )
    if not 1 <= request.parallelism <= LARGEST_PARALLELISM:
        raise _illegal_backfill(
            f"1 to {LARGEST_PARALLELISM} runs are open at once, not {request.parallelism}"
        )
    found = calendar.count(state.settings.times, request.first - _TICK, request.last)
    if not 0 < found < calendar.COUNT_LIMIT:
        rule = f"the range has no time, or {calendar.COUNT_LIMIT} or more"
        raise _illegal_backfill(f"{rule}: choose another one")
    return [request]


def cancel_backfill(state: ScheduleState, backfill: str) -> Sequence[ev.ScheduleEvent]:
    if any(one.backfill == backfill for one in state.backfills):
        return [ev.BackfillCancelled(backfill=backfill)]
    raise FoldlineError(
        Kind.NOT_FOUND,
        "BACKFILL_NOT_FOUND",
        f"schedule {state.schedule} has no backfill {backfill[:80]!r} that goes on",
        schedule=state.schedule,
    )


def end_run(state: ScheduleState, run_id: str, status: str) -> Sequence[ev.ScheduleEvent]:
    is_open = any(one.run_id == run_id for one in state.open)
    return [ev.FiredRunEnded(run_id=run_id, status=status)] if is_open else []


def refuse_run(state: ScheduleState, run_id: str, reason: str, message: str) -> Sequence[ev.ScheduleEvent]:
    is_open = any(one.run_id == run_id for one in state.open)
    return [ev.FiredRunRefused(run_id=run_id, reason=reason, message=message)] if is_open else []


def skipped(state: ScheduleState, until: datetime, reason: str, because: str = "") -> list[ev.ScheduleEvent]:
    """The fact that the undecided times up to `until` do not fire; none where there are none."""
    found = list(
        islice(calendar.occurrences(state.settings.times, state.considered, until), calendar.COUNT_LIMIT)
    )
    if not found:
        return []
    last = until.astimezone(UTC) if len(found) == calendar.COUNT_LIMIT else found[-1]
    return [ev.ScheduleSkipped(at=found[0], until=last, count=len(found), reason=reason, because=because)]


def next_times(state: ScheduleState, now: datetime, limit: int) -> list[datetime]:
    """The next scheduled times; none while paused."""
    if state.is_paused or state.is_deleted:
        return []
    after = max(state.considered, now)
    return list(islice(calendar.occurrences(state.settings.times, after), limit))


def _let_go(state: ScheduleState, reason: str) -> list[ev.ScheduleEvent]:
    if state.waiting is None:
        return []
    return [ev.ScheduleSkipped(at=state.waiting, until=state.waiting, count=1, reason=reason)]


def _require_future(times: Times, now: datetime) -> None:
    if calendar.following(times, now) is None:
        raise FoldlineError(Kind.INVALID, "NEVER_FIRES", "the schedule has no time to come")


def _illegal(rule: str) -> FoldlineError:
    return FoldlineError(Kind.INVALID, "ILLEGAL_SETTINGS", rule, rule=rule)


def _illegal_backfill(rule: str) -> FoldlineError:
    return FoldlineError(Kind.INVALID, "ILLEGAL_BACKFILL", rule, rule=rule)


def _misplaced(event: Event) -> FoldlineError:
    name = type(event).__name__
    return FoldlineError(Kind.INTERNAL, "EVENT_MISPLACED", f"{name} does not belong there", type=name)
