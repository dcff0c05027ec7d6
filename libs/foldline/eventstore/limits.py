"""What an event must be so that every ledger can keep it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from foldline.domain.errors import FoldlineError, Kind
from foldline.eventstore.port import NewEvent

_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def check(stream: str, events: Sequence[NewEvent]) -> None:
    """Raise INVALID EVENT_NOT_STORABLE for what cannot be kept or would come back changed."""
    for event in events:
        for name, text in (
            ("stream", stream),
            ("type", event.type),
            ("meta", event.meta),
            ("payload", event.payload),
        ):
            if "\0" in text:
                raise not_storable(f"the {name} of an event of type {event.type!r} contains U+0000")
            if not text.isascii() and not _is_unicode(text):
                raise not_storable(f"the {name} of an event of type {event.type!r} is not valid Unicode")
        if not _is_instant(event.time):
            raise not_storable(f"the time {event.time} of an event of type {event.type} is no instant in UTC")
        if not _is_id(event.id):
            raise not_storable(f"the id {event.id!r} of an event of type {event.type} is no lower-case UUID")


def not_storable(message: str) -> FoldlineError:
    return FoldlineError(Kind.INVALID, "EVENT_NOT_STORABLE", message)


def _is_unicode(text: str) -> bool:
    """Half of a surrogate pair is a str for Python and nothing for UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_instant(time: datetime) -> bool:
    if time.tzinfo is None:
        return False
    try:
        time.astimezone(UTC)
    except OverflowError:
        return False
    return True


def _is_id(text: str) -> bool:
    """In the one spelling that the database gives back and the hash is made from."""
    return _ID.fullmatch(text) is not None
