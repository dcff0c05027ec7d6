"""The ledger in Postgres. Order and chain: docs/adr/0003; writing: appender.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from types import TracebackType
from typing import Self

import asyncpg
import msgspec
import structlog

from foldline.chassis import background
from foldline.domain.errors import FoldlineError, Kind
from foldline.eventstore.appender import Appender
from foldline.eventstore.bell import Bell, notice
from foldline.eventstore.kept import KeptConnection
from foldline.eventstore.port import Head, NewEvent, Page, Position, Recorded, Snapshot
from foldline.pg import sql
from foldline.pg.connect import Connection, Pool
from foldline.pg.errors import is_unavailable

_PACKAGE = "foldline.eventstore"
_READ_STREAM = sql.load(_PACKAGE, "read_stream")
_READ_ALL = sql.load(_PACKAGE, "read_all")
_VERSIONS = sql.load(_PACKAGE, "versions")
_NOTIFY = sql.load(_PACKAGE, "notify")
_SAVE_SNAPSHOT = sql.load(_PACKAGE, "save_snapshot")
_LOAD_SNAPSHOT = sql.load(_PACKAGE, "load_snapshot")
_AGE = sql.load(_PACKAGE, "age")

POLL_SECONDS = 1.0
NOTIFY_SECONDS = 0.01
"""Before and after a notification of commits. No step waits for one: schedulers and executors use the bus."""
_SHORTEST_POLL_SECONDS = 0.002
_LAST_NUMBER = 2**63 - 1

log = structlog.get_logger()


class _Page(msgspec.Struct, frozen=True):
    """A page of the global order, where the next one starts, and whether a late transaction holds it back."""

    events: list[Recorded]
    next: Position
    held: bool


class PostgresEventStore:
    """Use as an async context manager; close it before its pool.

    A connection of the pool stays with it once it appended, and one with each follower.
    """

    def __init__(self, pool: Pool, dsn: str) -> None:
        self._pool = pool
        self._bell = Bell(dsn)
        self._committed: set[str] = set()  # types of events that other processes have not heard of
        self._to_be_told = asyncio.Event()
        self._appender = Appender(pool, self._announce)
        self._readers: set[KeptConnection] = set()  # of followers
        self._stack = AsyncExitStack()
        self._tasks: asyncio.TaskGroup | None = None
        self._is_listening = False

    async def __aenter__(self) -> Self:
        await self._refuse_foreign_events()
        self._tasks = tasks = await self._stack.enter_async_context(background.tasks())
        tasks.create_task(self._appender.run(), name="ledger-append")
        tasks.create_task(self._notify(), name="ledger-notify")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._tasks = None
        await self._stack.__aexit__(kind, error, traceback)
        for reader in self._readers:
            await reader.drop()

    async def append(self, stream: str, expected: Head, events: Sequence[NewEvent]) -> Head:
        if not events:
            return expected
        return await self._appender.append(stream, expected, events)

    async def read_stream(self, stream: str, *, after: int = 0, limit: int | None = None) -> list[Recorded]:
        with _translated():
            return [_recorded(row) for row in await self._pool.fetch(_READ_STREAM, stream, after, limit)]

    async def versions(self, streams: Collection[str]) -> dict[str, int]:
        with _translated():
            rows = await self._pool.fetch(_VERSIONS, list(streams))
        return {row["stream"]: row["version"] for row in rows}

    async def read_all(
        self, *, after: Position, limit: int, types: Collection[str] | None = None
    ) -> list[Recorded]:
        return (await self._page(self._pool, after, limit, types)).events

    async def read_page(self, *, after: Position, limit: int, types: Collection[str] | None = None) -> Page:
        page = await self._page(self._pool, after, limit, types)
        return Page(page.events, page.next)

    async def follow(
        self,
        *,
        after: Position,
        types: Collection[str] | None = None,
        limit: int = 500,
        gather_seconds: float = 0.0,
        urgent: Callable[[], frozenset[str]] = frozenset,
    ) -> AsyncIterator[list[Recorded]]:
        self._listen()
        reader = KeptConnection(self._pool)
        self._readers.add(reader)
        try:
            wanted = None if types is None else frozenset(types)
            async for events in self._follow(reader, after, wanted, limit, gather_seconds, urgent):
                yield events
        finally:
            self._readers.discard(reader)
            await reader.drop()

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        head = snapshot.head
        with _translated():
            await self._pool.execute(
                _SAVE_SNAPSHOT, snapshot.stream, head.version, head.hash, snapshot.schema, snapshot.state
            )

    async def load_snapshot(self, stream: str) -> Snapshot | None:
        with _translated():
            row = await self._pool.fetchrow(_LOAD_SNAPSHOT, stream)
        if row is None:
            return None
        return Snapshot(row["stream"], Head(row["version"], row["hash"]), row["schema"], row["state"])

    async def _follow(
        self,
        reader: KeptConnection,
        after: Position,
        types: frozenset[str] | None,
        limit: int,
        gather_seconds: float,
        urgent: Callable[[], frozenset[str]],
    ) -> AsyncIterator[list[Recorded]]:
        position = after
        pause = _SHORTEST_POLL_SECONDS
        while True:
            rings = self._bell.rings
            try:
                page = await self._next_page(reader, position, limit, types)
            except FoldlineError as error:
                if error.kind is not Kind.UNAVAILABLE:
                    raise
                log.warning("ledger_follow_waits", error=error.message)
                await reader.drop()
                await asyncio.sleep(POLL_SECONDS)
                continue
            position = page.next
            if page.events:
                pause = _SHORTEST_POLL_SECONDS
                yield page.events
                if len(page.events) < limit:
                    await self._bell.wait(rings, gather_seconds, urgent())
            if len(page.events) == limit:
                continue
            if page.held:
                # The bell rang already; what is waited for is the end of somebody's transaction.
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.1)
            else:
                pause = _SHORTEST_POLL_SECONDS
                await self._bell.wait(rings, POLL_SECONDS, types)

    async def _next_page(
        self, reader: KeptConnection, after: Position, limit: int, types: frozenset[str] | None
    ) -> _Page:
        with _translated():
            connection = await reader.get()
        return await self._page(connection, after, limit, types)

    async def _page(
        self, source: Pool | Connection, after: Position, limit: int, types: Collection[str] | None
    ) -> _Page:
        wanted = None if types is None else list(types)
        with _translated():
            rows = await source.fetch(_READ_ALL, after.transaction, after.number, limit, wanted)
        events = [_recorded(row) for row in rows if row["transaction"] is not None]
        if len(events) == limit:
            return _Page(events, events[-1].position, held=False)
        # Everything before the horizon was looked at, so the next page need not look again; with few events
        # of the wanted types that would be the whole ledger each time. But not beyond the last event: ids
        # above it may not have reached the disk, and after a crash Postgres gives those out once more.
        looked_at = Position(min(rows[0]["horizon"] - 1, rows[0]["last"] or 0), _LAST_NUMBER)
        return _Page(events, max(after, looked_at), held=rows[0]["held"])

    def _listen(self) -> None:
        """From the first follower on: each one who listens costs Postgres something at every notification."""
        if not self._is_listening and self._tasks is not None:
            self._is_listening = True
            self._tasks.create_task(self._bell.listen(), name="ledger-listen")

    def _announce(self, types: frozenset[str]) -> None:
        self._bell.ring(types)
        self._committed |= types
        self._to_be_told.set()

    async def _notify(self) -> None:
        """Tell other processes of commits, of those that come within a moment together.

        A notification wakes a backend and a process for each one who listens: while a step that was just
        written is on its way to its executor, they would be in its way.
        """
        while True:
            await self._to_be_told.wait()
            await asyncio.sleep(NOTIFY_SECONDS)
            self._to_be_told.clear()
            committed, self._committed = self._committed, set()
            try:
                with _translated():
                    await self._pool.execute(_NOTIFY, notice(committed))
            except FoldlineError as error:
                # They poll; nothing is lost but a second.
                log.warning("ledger_notify_failed", error=error.message)
            await asyncio.sleep(NOTIFY_SECONDS)

    async def _refuse_foreign_events(self) -> None:
        with _translated():
            fits = await self._pool.fetchval(_AGE)
        if not fits:
            raise FoldlineError(
                Kind.PRECONDITION,
                "LEDGER_FROM_ANOTHER_CLUSTER",
                "the ledger holds events with transaction ids that this Postgres has not reached yet: "
                "it was restored from a dump; raise the transaction id first (docs/adr/0003)",
            )


def _recorded(row: asyncpg.Record) -> Recorded:
    return Recorded(
        position=Position(row["transaction"], row["number"]),
        stream=row["stream"],
        version=row["version"],
        id=row["id"],
        type=row["type"],
        time=row["time"],
        payload=row["payload"],
        meta=row["meta"],
        hash=row["hash"],
    )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not is_unavailable(error):
            raise
        raise FoldlineError(
            Kind.UNAVAILABLE, "LEDGER_UNAVAILABLE", f"the ledger cannot be reached: {error}"
        ) from error
