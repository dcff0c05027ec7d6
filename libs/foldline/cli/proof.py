"""Verifying a run's events here, from their own texts: the recorder's word is not needed for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING

from foldline.eventstore import chain
from foldline.eventstore.port import Position, Recorded

if TYPE_CHECKING:
    from foldline.api.event.v1.recorded_pb2 import RecordedEvent


def problem(events: Sequence[RecordedEvent]) -> str:
    """The first flaw in the chain of all events of one stream; empty when it holds."""
    try:
        found = [_recorded(event) for event in events]
    except ValueError as error:
        return f"an event cannot be read: {error}"
    flaw = chain.verify(found)
    return flaw.problem if flaw else ""


def _recorded(event: RecordedEvent) -> Recorded:
    return Recorded(
        position=Position.parse(event.position),
        stream=event.stream,
        version=event.version,
        id=event.id,
        type=event.type,
        time=event.time.ToDatetime(tzinfo=UTC),
        payload=event.payload_json,
        meta=event.meta_json,
        hash=bytes.fromhex(event.hash),
    )
