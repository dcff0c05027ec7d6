"""Short, valid values that a test overrides where it cares."""

from __future__ import annotations

from datetime import UTC, datetime

from foldline.chassis.clock import new_id
from foldline.eventstore.port import NewEvent

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def a_stream(category: str = "run") -> str:
    return f"{category}-{new_id()}"


def an_event(
    type_: str = "Counted",
    payload: str = '{"count":1}',
    meta: str = '{"actor":"test"}',
    time: datetime = NOON,
) -> NewEvent:
    return NewEvent(new_id(), type_, time, payload, meta)


def events(count: int) -> list[NewEvent]:
    return [an_event(payload=f'{{"count":{number}}}') for number in range(1, count + 1)]
