"""Read model: the runs that have not ended, so that a new owner finds them without reading the whole ledger.

Follows the ledger for the few types that open and end a run; the position is saved with the changes, in one
statement: a scheduler that is stopped has no transaction open for which its successor would have to wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import asyncpg

from foldline.eventstore.port import START, EventStore, Position, Recorded
from foldline.pg import sql
from foldline_scheduler.partitions import partition_of
from foldline_scheduler.streams import run_id_of

_OF = sql.load("foldline_scheduler", "open_runs_of")
_LOAD = sql.load("foldline_scheduler", "load_checkpoint")
_SAVE = sql.load("foldline_scheduler", "save_open_runs")

OPENING = ("RunCreated", "RunReopened")
ENDING = ("RunCompleted", "RunFailed", "RunStopped")
TYPES = (*OPENING, *ENDING)

BATCH = 1000


class OpenRuns:
    def __init__(self, pool: asyncpg.Pool, store: EventStore) -> None:
        self._pool = pool
        self._store = store
        self._catching_up = asyncio.Lock()
        self._looked_at = START  # what the ledger had up to here is in the read model

    async def catch_up(self) -> None:
        """Apply everything that the ledger has by now."""
        async with self._catching_up:
            self._looked_at = max(self._looked_at, await self._position())
            is_full = True
            while is_full:
                page = await self._store.read_page(after=self._looked_at, limit=BATCH, types=TYPES)
                if page.events:
                    await self._apply(page.events, page.events[-1].position)
                self._looked_at = page.next
                is_full = len(page.events) == BATCH

    async def of(self, partitions: Iterable[int]) -> Sequence[str]:
        """Ids of the open runs of these partitions, as of now."""
        await self.catch_up()
        rows = await self._pool.fetch(_OF, list(partitions))
        return [row["run_id"] for row in rows]

    async def _position(self) -> Position:
        text = await self._pool.fetchval(_LOAD)
        return START if text is None else Position.parse(text)

    async def _apply(self, events: Sequence[Recorded], position: Position) -> None:
        is_open = {run_id_of(event.stream): event.type in OPENING for event in events}  # the last one counts
        opened = [run_id for run_id, is_it in is_open.items() if is_it]
        ended = [run_id for run_id, is_it in is_open.items() if not is_it]
        await self._pool.execute(_SAVE, opened, [partition_of(one) for one in opened], ended, str(position))
