"""The hash that chains every event to the one before it in its stream. The format is fixed for ever.

    hash = SHA-256( previous
                    || field(stream) || field(version) || field(id) || field(type)
                    || field(time) || field(meta) || field(payload) )

`previous` are the 32 bytes of the hash before (32 zero bytes for version 1). `field(x)` is the length of the
UTF-8 bytes of x as 8 bytes, big endian, followed by these bytes; so no two different events give the same
input. `version` is written in decimal digits, `id` as a lower-case canonical UUID, `time` in UTC as
YYYY-MM-DDTHH:MM:SS.ffffffZ, always with six digits. `meta` and `payload` are the texts as stored: nobody
parses and prints JSON to check a hash. The position in the global order is not part of it, for it belongs to
one installation and a record may be taken to another (docs/adr/0003).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from foldline.eventstore.port import NO_STREAM, Head, NewEvent, Recorded


class Flaw(msgspec.Struct, frozen=True):
    """The first event at which a stream does not hold, and why."""

    version: int
    problem: str


def link(previous: bytes, stream: str, version: int, event: NewEvent | Recorded) -> bytes:
    """The hash of `event` as number `version` of `stream`, behind an event with the hash `previous`."""
    return _hash(previous, stream, version, event, time_text(event.time))


def _hash(previous: bytes, stream: str, version: int, event: NewEvent | Recorded, time: str) -> bytes:
    parts = [previous]
    for field in (stream, str(version), event.id.lower(), event.type, time, event.meta, event.payload):
        data = field.encode()
        parts += (len(data).to_bytes(8), data)
    return hashlib.sha256(b"".join(parts)).digest()


def link_all(stream: str, after: Head, events: Iterable[NewEvent]) -> list[Head]:
    """The head behind each of the events that are to follow `after`."""
    heads: list[Head] = []
    head = after
    time, text = None, ""  # all of a decision have the same
    for event in events:
        if event.time is not time:
            time, text = event.time, time_text(event.time)
        version = head.version + 1
        head = Head(version, _hash(head.hash, stream, version, event, text))
        heads.append(head)
    return heads


def verify(events: Iterable[Recorded], after: Head = NO_STREAM) -> Flaw | None:
    """Check versions and hashes of consecutive events of one stream; the first flaw, or None.

    What is cut off behind the last event cannot be seen here; compare with a head kept elsewhere.
    """
    head = after
    stream: str | None = None
    for event in events:
        expected = head.version + 1
        if event.version != expected:
            return Flaw(expected, f"version {expected} is missing: the next event is version {event.version}")
        stream = event.stream if stream is None else stream
        if event.stream != stream:
            return Flaw(expected, f"version {expected} belongs to stream {event.stream}, not to {stream}")
        if event.hash != link(head.hash, event.stream, event.version, event):
            return Flaw(expected, f"version {expected} ({event.type}) does not have the hash recorded for it")
        head = event.head
    return None


def time_text(time: datetime) -> str:
    """RFC 3339 in UTC with exactly six digits of a second. Raises ValueError for a time without zone."""
    if time.tzinfo is None:
        raise ValueError(f"the time of an event needs a zone: {time.isoformat()}")
    return time.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
