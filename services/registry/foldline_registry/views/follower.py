"""Keeps the read models behind the ledger: folds each new event into its row, the position along with it.

Replicas follow side by side: the row of the position is locked first, so a batch is taken in once, by whoever
comes first, and the others only note that it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import cast

import msgspec

from foldline.chassis import logs, loops
from foldline.domain.errors import FoldlineError, Kind
from foldline.eventstore import facts
from foldline.eventstore.port import EventStore, Position, Recorded
from foldline.pg import sql
from foldline.pg.connect import Connection, Pool
from foldline.wire.events import REGISTRY_TYPES
from foldline_registry import metrics, streams
from foldline_registry.aggregates.state import State
from foldline_registry.views.reads import translated
from foldline_registry.views.seen import Seen
from foldline_registry.views.tables import TABLES, Table

log = logs.logger()

_LOCK = sql.load("foldline_registry", "lock_position")
_LOAD = sql.load("foldline_registry", "load_position")
_SAVE = sql.load("foldline_registry", "save_position")

TYPES = frozenset(REGISTRY_TYPES)
RETRY_SECONDS = 0.5


class Follower:
    def __init__(self, pool: Pool, store: EventStore, seen: Seen) -> None:
        self._pool = pool
        self._store = store
        self._seen = seen
        self._problem: Exception | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until cancelled; waits while the database is away, raises on what waiting does not mend."""
        while not stop.is_set():
            try:
                await self._follow()
            except FoldlineError as error:
                self._problem = error
                if error.kind is not Kind.UNAVAILABLE:
                    raise
                log.warning("views_wait", error=error.message)
                await loops.wait(stop, RETRY_SECONDS)
            except Exception as error:
                self._problem = error
                raise

    async def check(self) -> None:
        """Raises what keeps the read models from following, until they follow again."""
        if self._problem is not None:
            raise self._problem

    async def _follow(self) -> None:
        with translated():
            position = Position.parse(await self._pool.fetchval(_LOAD))
        self._problem = None
        # The port promises an iterator; both adapters are generators, which want to be closed.
        batches = cast(
            "AsyncGenerator[list[Recorded], None]", self._store.follow(after=position, types=TYPES)
        )
        async with aclosing(batches):
            async for batch in batches:
                with translated():
                    await self._take_in(batch)
                for recorded in batch:
                    self._seen.note(recorded.stream, recorded.version)

    async def _take_in(self, batch: Sequence[Recorded]) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            position = Position.parse(await connection.fetchval(_LOCK))
            new = [recorded for recorded in batch if recorded.position > position]
            if not new:
                return
            states: dict[str, State] = {}
            for recorded in new:
                table = TABLES[streams.category(recorded.stream)]
                before = states.get(recorded.stream) or await _load(connection, table, recorded.stream)
                states[recorded.stream] = table.evolve(before, facts.decode(recorded), recorded.time)
            for stream, state in states.items():
                await _save(connection, stream, state)
            await connection.execute(_SAVE, str(new[-1].position))
        metrics.VIEW_EVENTS.inc(len(new))


async def _load(connection: Connection, table: Table, stream: str) -> State | None:
    text = await connection.fetchval(table.load, stream)
    return None if text is None else msgspec.json.decode(text, type=table.state)


async def _save(connection: Connection, stream: str, state: State) -> None:
    table = TABLES[streams.category(stream)]
    await connection.execute(table.save, stream, msgspec.json.encode(state).decode(), *table.columns(state))
