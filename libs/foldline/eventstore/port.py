"""The port of the ledger: what a store of events promises, whichever it is.

The promises, held by `tests/conformance/event_store.py` on every adapter:

* A stream's versions are 1, 2, 3, … without gap. `append` adds right behind the expected head or raises
  VersionConflict and adds nothing; all events of one call become visible together.
* Every event carries the hash that chains it to the one before it in its stream (`chain.py`).
* `read_all` yields events in an order that never changes: once a reader was given an event, no event will
  ever appear before it, even though writers commit out of order (docs/adr/0003).
* Nothing is ever changed or removed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from foldline.domain.errors import FoldlineError, Kind

GENESIS = bytes(32)
"""The hash before the first event of a stream."""


class Head(msgspec.Struct, frozen=True):
    """The end of a stream: version and hash of its last event. `NO_STREAM` for one without events."""

    version: int
    hash: bytes


NO_STREAM = Head(0, GENESIS)


class Position(msgspec.Struct, frozen=True, order=True):
    """A place in the global order; comparable. `str` and `parse` are each other's inverse."""

    transaction: int
    number: int

    def __str__(self) -> str:
        return f"{self.transaction}.{self.number}"

    @classmethod
    def parse(cls, text: str) -> Position:
        transaction, _, number = text.partition(".")
        return cls(int(transaction), int(number))


START = Position(0, 0)


class NewEvent(msgspec.Struct, frozen=True):
    """An event to append. `payload` and `meta` are JSON texts, stored and hashed exactly as they are."""

    id: str  # UUIDv7, canonical text
    type: str
    time: datetime  # aware, UTC; kept to the microsecond
    payload: str
    meta: str


class Recorded(msgspec.Struct, frozen=True):
    """An event as it stands in the ledger."""

    position: Position
    stream: str
    version: int
    id: str
    type: str
    time: datetime
    payload: str
    meta: str
    hash: bytes

    @property
    def head(self) -> Head:
        return Head(self.version, self.hash)


class Page(msgspec.Struct, frozen=True):
    """Events of the global order, and the position behind which there may be more."""

    events: list[Recorded]
    next: Position


class Snapshot(msgspec.Struct, frozen=True):
    """A saved fold; a cache that may be dropped at any time. `schema` names the code that can read it."""

    stream: str
    head: Head
    schema: str
    state: bytes


class VersionConflict(FoldlineError):
    """Somebody else appended to the stream first: load it again and decide again."""

    def __init__(self, stream: str, expected: int) -> None:
        super().__init__(
            Kind.CONFLICT,
            "VERSION_CONFLICT",
            f"stream {stream} does not end at version {expected}",
            stream=stream,
            expected=str(expected),
        )


class EventStore(Protocol):
    """All methods raise FoldlineError(kind=UNAVAILABLE) when the store cannot be reached."""

    async def append(self, stream: str, expected: Head, events: Sequence[NewEvent]) -> Head:
        """Append atomically behind `expected`; return the new head. Raises VersionConflict."""
        ...

    async def read_stream(self, stream: str, *, after: int = 0, limit: int | None = None) -> list[Recorded]:
        """Events of one stream with a version above `after`, in order; empty for an unknown stream."""
        ...

    async def versions(self, streams: Collection[str]) -> dict[str, int]:
        """The newest version of each of these streams; unknown ones are left out."""
        ...

    async def read_all(
        self, *, after: Position, limit: int, types: Collection[str] | None = None
    ) -> list[Recorded]:
        """Events of every stream behind `after` in the global order, optionally of some types alone."""
        ...

    async def read_page(self, *, after: Position, limit: int, types: Collection[str] | None = None) -> Page:
        """What `read_all` gives, and where to go on. That lies behind events of other types, too, so whoever
        looks for rare types now and then does not read all the others each time."""
        ...

    def follow(
        self,
        *,
        after: Position,
        types: Collection[str] | None = None,
        limit: int = 500,
        gather_seconds: float = 0.0,
        urgent: Callable[[], frozenset[str]] = frozenset,
    ) -> AsyncIterator[list[Recorded]]:
        """Endless batches (never empty) of what `read_all` would give, as it becomes visible.

        After a batch that was not full the next one is not looked for before `gather_seconds`, so that a
        reader of many small commits has fewer and larger batches. What comes after a silence comes at once.
        An event of the `urgent` types, which are asked for each time, ends the gathering.

        Survives losses of the connection; ends when the consumer closes the iterator.
        """
        ...

    async def save_snapshot(self, snapshot: Snapshot) -> None: ...

    async def load_snapshot(self, stream: str) -> Snapshot | None: ...
