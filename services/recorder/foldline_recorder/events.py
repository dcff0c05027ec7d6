"""How events look to callers: their texts as they were hashed, and the payload as data."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from foldline.api.event.v1.recorded_pb2 import RecordedEvent
from foldline.eventstore.port import Recorded
from foldline.wire import messages

EVENTS_AT_ONCE = 200

_json = msgspec.json.Decoder()


def event_message(recorded: Recorded) -> RecordedEvent:
    message = RecordedEvent(
        position=str(recorded.position),
        stream=recorded.stream,
        version=recorded.version,
        id=recorded.id,
        type=recorded.type,
        payload_json=recorded.payload,
        meta_json=recorded.meta,
        hash=recorded.hash.hex(),
    )
    message.time.FromDatetime(recorded.time)
    try:
        data = _json.decode(recorded.payload)
    except msgspec.DecodeError:
        return message  # somebody edited it; the verdict on the chain says so
    if isinstance(data, dict):
        message.data.CopyFrom(messages.to_struct(data))
    return message


async def event_messages(events: Sequence[Recorded]) -> list[RecordedEvent]:
    """Of a long history; lets others have their turn now and then."""
    found: list[RecordedEvent] = []
    for start in range(0, len(events), EVENTS_AT_ONCE):
        found += map(event_message, events[start : start + EVENTS_AT_ONCE])
        await asyncio.sleep(0)
    return found
