"""From events to what the ledger keeps, and back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from foldline.chassis.clock import new_id
from foldline.domain.run_events import Event
from foldline.eventstore.port import NewEvent, Recorded
from foldline.wire import events as codec


class Meta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who and why; mirror of the message Meta in recorded.proto. Stored as JSON beside each event, without
    what is empty."""

    actor: str  # the token's subject, or "service:<name>" for what a service decided by itself
    workspace: str = ""
    correlation: str = ""  # the same for all events of one decision
    trace: str = ""  # W3C traceparent


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Meta)


def new_events(events: Iterable[Event], meta: Meta, now: datetime) -> list[NewEvent]:
    """Give each event an id, and all of them the same metadata and time."""
    meta_text = _encoder.encode(meta).decode()
    return [
        NewEvent(new_id(), type_, now, payload, meta_text) for type_, payload in map(codec.encode, events)
    ]


def decode(recorded: Recorded) -> Event:
    """The event in its current form. Raises INVALID for one that this version cannot read."""
    return codec.decode(recorded.type, recorded.payload)


def meta_of(recorded: Recorded) -> Meta:
    return _decoder.decode(recorded.meta)
