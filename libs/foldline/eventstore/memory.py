"""The ledger in memory, with the semantics of the real one: for local runs and for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import UTC

from foldline.eventstore import limits
from foldline.eventstore.chain import link_all
from foldline.eventstore.port import (
    NO_STREAM,
    Head,
    NewEvent,
    Page,
    Position,
    Recorded,
    Snapshot,
    VersionConflict,
)


class MemoryEventStore:
    """Lives as long as the object; one event loop."""

    def __init__(self) -> None:
        self._all: list[Recorded] = []
        self._streams: dict[str, list[Recorded]] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._transactions = 0
        self._grown = asyncio.Condition()

    async def append(self, stream: str, expected: Head, events: Sequence[NewEvent]) -> Head:
        if not events:
            return expected
        limits.check(stream, events)
        heads = link_all(stream, expected, events)
        past = self._streams.get(stream, [])
        if expected != (past[-1].head if past else NO_STREAM):
            raise VersionConflict(stream, expected.version)
        self._transactions += 1
        recorded = [
            Recorded(
                position=Position(self._transactions, len(self._all) + number),
                stream=stream,
                version=head.version,
                id=event.id,
                type=event.type,
                time=event.time.astimezone(UTC),
                payload=event.payload,
                meta=event.meta,
                hash=head.hash,
            )
            for number, (event, head) in enumerate(zip(events, heads, strict=True), start=1)
        ]
        self._streams.setdefault(stream, []).extend(recorded)
        self._all.extend(recorded)
        async with self._grown:
            self._grown.notify_all()
        return heads[-1]

    async def read_stream(self, stream: str, *, after: int = 0, limit: int | None = None) -> list[Recorded]:
        found = self._streams.get(stream, [])[after:]
        return found if limit is None else found[:limit]

    async def versions(self, streams: Collection[str]) -> dict[str, int]:
        return {one: len(self._streams[one]) for one in streams if self._streams.get(one)}

    async def read_all(
        self, *, after: Position, limit: int, types: Collection[str] | None = None
    ) -> list[Recorded]:
        # Positions are counted: the event with number n is the n-th.
        found = (event for event in self._all[after.number :] if types is None or event.type in types)
        return [event for event, _ in zip(found, range(limit), strict=False)]

    async def read_page(self, *, after: Position, limit: int, types: Collection[str] | None = None) -> Page:
        looked_at = self._all[-1].position if self._all else after
        events = await self.read_all(after=after, limit=limit, types=types)
        return Page(events, events[-1].position if len(events) == limit else max(after, looked_at))

    async def follow(
        self,
        *,
        after: Position,
        types: Collection[str] | None = None,
        limit: int = 500,
        gather_seconds: float = 0.0,
        urgent: Callable[[], frozenset[str]] = frozenset,
    ) -> AsyncIterator[list[Recorded]]:
        position = after
        while True:
            batch = await self.read_all(after=position, limit=limit, types=types)
            if batch:
                position = batch[-1].position
                yield batch
                if len(batch) < limit:
                    await self._gather(gather_seconds, urgent())
                continue
            seen = len(self._all)
            async with self._grown:
                await self._grown.wait_for(lambda seen=seen: len(self._all) > seen)  # type: ignore[misc]

    async def _gather(self, seconds: float, urgent: frozenset[str]) -> None:
        seen = len(self._all)
        try:
            async with asyncio.timeout(seconds), self._grown:
                await self._grown.wait_for(lambda: any(event.type in urgent for event in self._all[seen:]))
        except TimeoutError:
            return

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        kept = self._snapshots.get(snapshot.stream)
        if kept is None or kept.schema != snapshot.schema or kept.head.version < snapshot.head.version:
            self._snapshots[snapshot.stream] = snapshot

    async def load_snapshot(self, stream: str) -> Snapshot | None:
        return self._snapshots.get(stream)
