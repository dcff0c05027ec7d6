"""Read model: every schedule and trigger with its folded state, and which of their runs have ended.

Follows the ledger; several schedulers follow side by side, and the row of the position is locked first, so
that each batch is taken in once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import asyncpg
import msgspec

from foldline.domain import schedules, triggers
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.schedule_events import (
    FiredRunEnded,
    FiredRunRefused,
    ScheduleFired,
    TriggerFired,
)
from foldline.domain.schedules import ScheduleState
from foldline.domain.triggers import TriggerState
from foldline.eventstore import facts
from foldline.eventstore.port import START, EventStore, Head, Position, Recorded
from foldline.pg import sql
from foldline.pg.connect import Connection, Pool
from foldline.pg.errors import is_unavailable
from foldline.wire.events import SCHEDULE_TYPES
from foldline_scheduler.open_runs import ENDING
from foldline_scheduler.partitions import partition_of
from foldline_scheduler.schedules.streams import SCHEDULE, TRIGGER, category_of
from foldline_scheduler.streams import run_id_of

_PACKAGE = "foldline_scheduler"
_LOCK = sql.load(_PACKAGE, "lock_starters_checkpoint")
_POSITION = sql.load(_PACKAGE, "load_starters_checkpoint")
_SAVE_POSITION = sql.load(_PACKAGE, "save_starters_checkpoint")
_SAVE = sql.load(_PACKAGE, "save_starter")
_LOAD = sql.load(_PACKAGE, "load_starter")
_LIST = sql.load(_PACKAGE, "list_starters")
_OF = sql.load(_PACKAGE, "starters_of")
_ADD_RUN = sql.load(_PACKAGE, "add_fired_run")
_END_RUNS = sql.load(_PACKAGE, "end_fired_runs")
_REMOVE_RUN = sql.load(_PACKAGE, "remove_fired_run")
_ENDED = sql.load(_PACKAGE, "ended_fired_runs")

TYPES = frozenset({*SCHEDULE_TYPES, *ENDING})
BATCH = 1000

State = ScheduleState | TriggerState
S = TypeVar("S", bound=ScheduleState | TriggerState)


class Seen(NamedTuple):
    """A stream as the read model has it."""

    head: Head
    state: State


class EndedRun(NamedTuple):
    run_id: str
    stream: str
    status: str


class Views:
    def __init__(self, pool: Pool, store: EventStore) -> None:
        self._pool = pool
        self._store = store
        self._catching_up = asyncio.Lock()
        self._looked_at = START  # what the ledger had up to here is in the read model

    async def catch_up(self) -> None:
        """Apply everything that the ledger has by now."""
        async with self._catching_up:
            with _translated():
                position = Position.parse(await self._pool.fetchval(_POSITION))
            self._looked_at = max(self._looked_at, position)
            is_full = True
            while is_full:
                page = await self._store.read_page(after=self._looked_at, limit=BATCH, types=TYPES)
                if page.events:
                    with _translated():
                        await self._take_in(page.events)
                self._looked_at = page.next
                is_full = len(page.events) == BATCH

    async def load(self, stream: str) -> Seen | None:
        with _translated():
            row = await self._pool.fetchrow(_LOAD, stream)
        return None if row is None else _seen(stream, row)

    async def of(self, category: str, partitions: Iterable[int]) -> dict[str, int]:
        """Streams to drive in these partitions, with their versions."""
        with _translated():
            rows = await self._pool.fetch(_OF, category, list(partitions))
        return {row["stream"]: row["version"] for row in rows}

    async def ended(self, partitions: Iterable[int]) -> list[EndedRun]:
        """Runs that have ended and whose streams do not know it yet."""
        with _translated():
            rows = await self._pool.fetch(_ENDED, list(partitions))
        return [EndedRun(row["run_id"], row["stream"], row["status"]) for row in rows]

    async def schedules(self, workspace: str, *, after: str, limit: int) -> list[ScheduleState]:
        """By name, from behind `after`."""
        return await self._list(SCHEDULE, ScheduleState, workspace, after, limit)

    async def triggers(self, workspace: str, *, after: str, limit: int) -> list[TriggerState]:
        """By name, from behind `after`."""
        return await self._list(TRIGGER, TriggerState, workspace, after, limit)

    async def _list(self, category: str, cls: type[S], workspace: str, after: str, limit: int) -> list[S]:
        await self.catch_up()
        with _translated():
            rows = await self._pool.fetch(_LIST, category, workspace, after, limit)
        return [msgspec.json.decode(row["state"], type=cls) for row in rows]

    async def _take_in(self, batch: Sequence[Recorded]) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            position = Position.parse(await connection.fetchval(_LOCK))
            new = [recorded for recorded in batch if recorded.position > position]
            if not new:
                return
            seen: dict[str, Seen] = {}
            ended: dict[str, str] = {}
            for recorded in new:
                if recorded.type in ENDING:
                    ended[run_id_of(recorded.stream)] = recorded.type.removeprefix("Run").lower()
                else:
                    await _fold(connection, recorded, seen)
            if ended:  # after the firings that led to them
                await connection.execute(_END_RUNS, list(ended), list(ended.values()))
            for stream, one in seen.items():
                await _save(connection, stream, one)
            await connection.execute(_SAVE_POSITION, str(new[-1].position))


async def _fold(connection: Connection, recorded: Recorded, seen: dict[str, Seen]) -> None:
    stream, event = recorded.stream, facts.decode(recorded)
    before = seen.get(stream)
    if before is None and (row := await connection.fetchrow(_LOAD, stream)) is not None:
        before = _seen(stream, row)
    state: State
    if category_of(stream) == SCHEDULE:
        known = before.state if before is not None else None
        assert known is None or isinstance(known, ScheduleState)
        state = schedules.evolve(known, event, recorded.time)
    else:
        known = before.state if before is not None else None
        assert known is None or isinstance(known, TriggerState)
        state = triggers.evolve(known, event, recorded.time)
    seen[stream] = Seen(recorded.head, state)
    if isinstance(event, ScheduleFired | TriggerFired):
        await connection.execute(_ADD_RUN, event.run_id, stream, partition_of(stream))
    elif isinstance(event, FiredRunEnded | FiredRunRefused):
        await connection.execute(_REMOVE_RUN, event.run_id)


async def _save(connection: Connection, stream: str, seen: Seen) -> None:
    state = seen.state
    name = state.schedule if isinstance(state, ScheduleState) else state.trigger
    await connection.execute(
        _SAVE,
        stream,
        category_of(stream),
        state.workspace,
        name,
        partition_of(stream),
        seen.head.version,
        seen.head.hash,
        state.is_deleted,
        msgspec.json.encode(state).decode(),
    )


def _seen(stream: str, row: asyncpg.Record) -> Seen:
    cls: type[State] = ScheduleState if category_of(stream) == SCHEDULE else TriggerState
    return Seen(Head(row["version"], row["hash"]), msgspec.json.decode(row["state"], type=cls))


@contextmanager
def _translated() -> Iterator[None]:
    """The driver's errors that mean "not now" as ours."""
    try:
        yield
    except Exception as error:
        if not is_unavailable(error):
            raise
        message = f"the scheduler's database cannot be reached: {error}"
        raise FoldlineError(Kind.UNAVAILABLE, "VIEWS_UNAVAILABLE", message) from error
