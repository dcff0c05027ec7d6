"""The history of a schedule or trigger, and each of its facts as a sentence."""

from __future__ import annotations

import msgspec

from foldline.api.scheduler.v1 import schedule_service_pb2 as pb
from foldline.domain import schedule_events as ev
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.firings import rfc3339
from foldline.domain.run_events import Event
from foldline.eventstore import facts
from foldline.eventstore.port import EventStore, Recorded
from foldline.wire import messages

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 1000

_WHY_SKIPPED = {
    "missed": "older than the catch-up window",
    "overlap": "the run before was still open",
    "queue_full": "another time waits already",
    "superseded": "a later time took its place",
    "paused": "the schedule was paused",
    "changed": "the schedule was changed before it fired",
    "deleted": "the schedule was deleted",
}


async def read(
    store: EventStore, stream: str, version: int, *, before: int, limit: int
) -> list[pb.HistoryEntry]:
    """Newest first. `version` is that of the stream's end; `before` 0 means from there."""
    if limit < 0 or before < 0:
        raise FoldlineError(Kind.INVALID, "ILLEGAL_PAGE", "limit and before_version are 0 or more")
    size = min(limit or DEFAULT_LIMIT, LARGEST_LIMIT)
    end = min(before - 1, version) if before else version
    start = max(end - size, 0)
    recorded = await store.read_stream(stream, after=start, limit=end - start) if end > start else []
    return [_entry(one) for one in reversed(recorded)]


def _entry(recorded: Recorded) -> pb.HistoryEntry:
    event = facts.decode(recorded)
    entry = pb.HistoryEntry(
        version=recorded.version,
        actor=facts.meta_of(recorded).actor,
        type=recorded.type,
        data=messages.to_struct(msgspec.json.decode(recorded.payload)),
        summary=summary(event),
    )
    entry.time.FromDatetime(recorded.time)
    return entry


def summary(event: Event) -> str:
    """What happened, for people."""
    match event:
        case ev.ScheduleFired(backfill=""):
            return f"{rfc3339(event.at)} fired: run {event.run_id}"
        case ev.ScheduleFired():
            return f"{rfc3339(event.at)} fired for backfill {event.backfill}: run {event.run_id}"
        case ev.ScheduleQueued():
            how = "asks run {} to stop and waits" if event.stop else "waits for run {} to end"
            return f"{rfc3339(event.at)} {how.format(event.behind)}"
        case ev.ScheduleSkipped():
            return _skipped(event)
        case ev.FiredRunEnded():
            return f"run {event.run_id} {event.status}"
        case ev.FiredRunRefused():
            return f"run {event.run_id} could not be started: {event.message} ({event.reason})"
        case ev.BackfillRequested():
            span = f"{rfc3339(event.first)} to {rfc3339(event.last)}"
            return f"backfill {event.backfill} requested: {span}, {event.parallelism} at once"
        case ev.BackfillCompleted():
            return f"backfill {event.backfill} completed after {event.count} runs"
        case ev.TriggerFired():
            return f"event {event.event_id} of {event.source} fired: run {event.run_id}"
        case ev.TriggerIgnored():
            return _ignored(event)
        case _:
            return _plain(event)


def _skipped(event: ev.ScheduleSkipped) -> str:
    why = _WHY_SKIPPED.get(event.reason, event.reason)
    because = f" (run {event.because})" if event.because else ""
    if event.count == 1:
        return f"{rfc3339(event.at)} skipped: {why}{because}"
    return f"{event.count} times from {rfc3339(event.at)} to {rfc3339(event.until)} skipped: {why}{because}"


def _ignored(event: ev.TriggerIgnored) -> str:
    about = f"event {event.event_id} of {event.source}" if event.event_id else "a message"
    more = f", and {event.count - 1} before it" if event.count > 1 else ""
    return f"{about}{more} ignored: {event.message}"


def _plain(event: Event) -> str:
    match event:
        case ev.SchedulePaused():
            return f"paused: {event.reason}" if event.reason else "paused"
        case ev.ScheduleResumed():
            return "resumed"
        case ev.ScheduleCreated() | ev.TriggerCreated():
            return "created"
        case ev.ScheduleChanged() | ev.TriggerChanged():
            return "changed"
        case ev.ScheduleDeleted() | ev.TriggerDeleted():
            return "deleted"
        case ev.BackfillCancelled():
            return f"backfill {event.backfill} cancelled"
        case _:
            return type(event).__name__
