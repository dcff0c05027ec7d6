"""What the clock does with a schedule: which times are due, and what becomes of each.

Every time is decided about once, in order. Older than the catch-up window: skipped as missed. Due: fired, or
queued, or skipped, as the overlap policy says. The delay of a time by jitter follows from the schedule's name
and the time alone, so it is the same whoever computes it; a time never overtakes the one before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice

import msgspec

from foldline.domain import calendar
from foldline.domain import schedule_events as ev
from foldline.domain.schedules import ScheduleState, evolve, skipped
from foldline.domain.spec import Json

Mint = Callable[[str], str]
"""The id of the run for a firing's name: always the same for the same name."""

AT_ONCE = 100
"""Runs that one decision starts at most; the next one goes on."""


class _Decision:
    def __init__(self, state: ScheduleState, now: datetime, mint: Mint) -> None:
        self.state = state
        self.now = now
        self.mint = mint
        self.events: list[ev.ScheduleEvent] = []
        self.fired = 0

    def add(self, event: ev.ScheduleEvent) -> None:
        self.state = evolve(self.state, event, self.now)
        self.events.append(event)

    def fire(self, at: datetime, backfill: str = "") -> None:
        name = f"backfill/{backfill}/{rfc3339(at)}" if backfill else rfc3339(at)
        self.add(ev.ScheduleFired(at=at, run_id=self.mint(name), backfill=backfill))
        self.fired += 1

    def skip(self, at: datetime, reason: str, because: str = "") -> None:
        """Skip one time; neighbours with the same reason become one fact."""
        last = self.events[-1] if self.events else None
        one = ev.ScheduleSkipped(at=at, until=at, count=1, reason=reason, because=because)
        if isinstance(last, ev.ScheduleSkipped) and (last.reason, last.because) == (reason, because):
            self.events.pop()
            one = msgspec.structs.replace(one, at=last.at, count=last.count + 1)
        self.add(one)


def advance(state: ScheduleState, now: datetime, mint: Mint) -> list[ev.ScheduleEvent]:
    """All that is to be decided at `now`. Call it again until it is empty."""
    if state.is_deleted:
        return []
    decision = _Decision(state, now, mint)
    if not state.is_paused:
        _release(decision)
        for event in skipped(state, _missed_until(decision.state, now), "missed"):
            decision.add(event)
        _take_due(decision)
    _fill_back(decision)
    return decision.events


def next_moment(state: ScheduleState) -> datetime | None:
    """When the clock will have something to decide; None while it has not."""
    if state.is_deleted or state.is_paused:
        return None
    at = calendar.following(state.settings.times, state.considered)
    return None if at is None else at + delay(state, at)


def delay(state: ScheduleState, at: datetime) -> timedelta:
    """The jitter of a time."""
    if not state.settings.jitter_seconds:
        return timedelta(0)
    seed = f"{state.workspace}/{state.schedule}/{rfc3339(at)}".encode()
    share = int.from_bytes(hashlib.sha256(seed).digest()[:6]) / 2**48
    return timedelta(seconds=share * state.settings.jitter_seconds)


def must_stop(state: ScheduleState) -> tuple[str, ...]:
    """Runs that are to make room for the time that waits."""
    if state.waiting is None or state.settings.overlap != "cancel":
        return ()
    return tuple(firing.run_id for firing in state.own)


def values(state: ScheduleState, at: datetime) -> dict[str, Json]:
    """The values of a firing's run: those of the settings, and the scheduled time where it is asked for."""
    name = state.settings.time_parameter
    return {**state.settings.values, **({name: rfc3339(at)} if name else {})}


def rfc3339(at: datetime) -> str:
    """In UTC, as short as it is exact: 2026-03-29T01:00:00Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _missed_until(state: ScheduleState, now: datetime) -> datetime:
    """Times up to here are too old, even with the longest jitter."""
    return now - timedelta(
        seconds=state.settings.catch_up_seconds + state.settings.jitter_seconds, microseconds=1
    )


def _release(decision: _Decision) -> None:
    """The time that waits fires when nothing is in its way any more."""
    state = decision.state
    if state.waiting is not None and (not state.own or state.settings.overlap == "allow"):
        decision.fire(state.waiting)


def _take_due(decision: _Decision) -> None:
    due = _due(decision.state, decision.now)
    if decision.state.settings.overlap == "cancel" and due:
        for at in due[:-1]:
            decision.skip(at, "superseded")
        due = due[-1:]
    for at in due:
        if decision.fired >= AT_ONCE:
            return
        _take(decision, at)


def _due(state: ScheduleState, now: datetime) -> list[datetime]:
    found = []
    for at in islice(calendar.occurrences(state.settings.times, state.considered, now), calendar.COUNT_LIMIT):
        if at + delay(state, at) > now:
            break
        found.append(at)
    return found


def _take(decision: _Decision, at: datetime) -> None:
    """One due time by the overlap policy."""
    state = decision.state
    policy = state.settings.overlap
    if policy == "allow" or not (state.own or state.waiting):
        decision.fire(at)
        return
    because = state.own[-1].run_id if state.own else ""
    if policy == "skip":
        decision.skip(at, "overlap", because)
    elif policy == "queue" and state.waiting is not None:
        decision.skip(at, "queue_full", because)
    else:
        if state.waiting is not None:
            decision.add(
                ev.ScheduleSkipped(at=state.waiting, until=state.waiting, count=1, reason="superseded")
            )
        decision.add(ev.ScheduleQueued(at=at, behind=because, stop=policy == "cancel"))


def _fill_back(decision: _Decision) -> None:
    for backfill in decision.state.backfills:
        name = backfill.backfill
        free = min(backfill.parallelism - decision.state.of_backfill(name), AT_ONCE)
        left = calendar.occurrences(backfill.times, backfill.cursor, backfill.last)
        found = list(islice(left, max(free, 1)))
        for at in found[: max(free, 0)]:
            decision.fire(at, name)
        if not found and not decision.state.of_backfill(name):
            decision.add(ev.BackfillCompleted(backfill=name, count=backfill.fired))
