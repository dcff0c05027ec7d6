"""Records of runs: the fold of a run's stream, as of now or as of any version.

The ledger alone is asked, never a read model, so an answer holds everything that was committed before the
question. Folds are kept in memory and continued from where they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast
from weakref import WeakValueDictionary

from msgspec import Struct

from foldline.domain import run
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.evolve import evolve
from foldline.domain.run_events import RunEvent
from foldline.eventstore import facts
from foldline.eventstore.port import EventStore, Position, Recorded
from foldline.wire.events import RUN_TYPES
from foldline_recorder.folds import Folds
from foldline_recorder.streams import run_id_of, run_stream

PAGE = 1000

STEP_BYTES = 1024
"""What a step of a state costs besides its events: a map's child has many steps behind few events."""


class Record(Struct, frozen=True, kw_only=True):
    """The state of a run, with what is known of it besides."""

    state: run.RunState
    place: Position  # of RunCreated in the global order
    started_by: str
    size: int  # bytes of the events folded, and of the steps

    @property
    def version(self) -> int:
        return self.state.version


class UnreadableRecord(FoldlineError):
    """An event of the run cannot be read or cannot have happened. `readable` is the record before it."""

    def __init__(self, recorded: Recorded, problem: str, readable: Record | None) -> None:
        run_id = run_id_of(recorded.stream)
        super().__init__(
            Kind.INTERNAL,
            "RECORD_UNREADABLE",
            f"the record of run {run_id} cannot be folded beyond version {recorded.version - 1}: {problem}",
            run_id=run_id,
            version=str(recorded.version),
        )
        self.readable = readable


def fold_on(record: Record | None, events: Sequence[Recorded]) -> Record | None:
    """The record behind `events`, which follow it in the stream; None for no record and no events.

    Raises UnreadableRecord.
    """
    for recorded in events:
        try:
            record = _fold_one(record, recorded)
        except FoldlineError as error:
            raise UnreadableRecord(recorded, error.message, record) from error
    return record


def _fold_one(record: Record | None, recorded: Recorded) -> Record:
    expected = 1 if record is None else record.version + 1
    if recorded.version != expected:
        raise FoldlineError(Kind.INTERNAL, "VERSION_MISSING", f"version {expected} is missing")
    event = facts.decode(recorded)
    if type(event).__name__ not in RUN_TYPES:
        raise FoldlineError(Kind.INTERNAL, "FOREIGN_EVENT", f"{recorded.type} is no event of a run")
    state = evolve(None if record is None else record.state, cast("RunEvent", event), recorded.time)
    if record is None:
        actor = facts.meta_of(recorded).actor
        size = len(recorded.payload) + STEP_BYTES * len(state.steps)
        return Record(state=state, place=recorded.position, started_by=actor, size=size)
    return Record(
        state=state,
        place=record.place,
        started_by=record.started_by,
        size=record.size + len(recorded.payload),
    )


class Records:
    """Reads and folds records; remembers what it folded."""

    def __init__(self, store: EventStore, *, cache_bytes: int) -> None:
        self._store = store
        self._folds: Folds[Record] = Folds(cache_bytes)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def newest(self, run_id: str, *, at_least: int | None = None) -> Record | None:
        """The record as of now; None where there is no such run. Raises UnreadableRecord.

        Whoever is content with a version, and all later ones, may be answered from memory.
        """
        stream = run_stream(run_id)
        async with self._lock(stream):
            known = self._folds.newest(stream)
            if at_least is not None and known is not None and known.version >= at_least:
                return known
            record = await self._read_on(stream, known)
            self._remember(stream, known, record)
            return record

    async def at(self, run_id: str, version: int) -> Record | None:
        """The record as of a version from 1 on; None where the run has not got that far."""
        stream = run_stream(run_id)
        async with self._lock(stream):
            record = self._folds.at_most(stream, version)
            if record is None or record.version < version:
                record = await self._read_on(stream, record, version)
                self._remember(stream, None, record)
            return record if record is not None and record.version == version else None

    def known(self, run_id: str, version: int) -> Record | None:
        """The record as of this version if it is in memory."""
        record = self._folds.at_most(run_stream(run_id), version)
        return record if record is not None and record.version == version else None

    async def follow(self, stream: str, events: Sequence[Recorded]) -> Record | None:
        """The record behind these events of one stream, or later; for whoever follows the ledger.

        Raises UnreadableRecord.
        """
        async with self._lock(stream):
            known = self._folds.newest(stream)
            if known is not None and known.version >= events[-1].version:
                return known
            version = 0 if known is None else known.version
            if version >= events[0].version - 1:
                record = fold_on(known, [event for event in events if event.version > version])
            else:
                record = await self._read_on(stream, known, events[-1].version)
            self._remember(stream, known, record)
            return record

    async def events(self, run_id: str, *, after: int, limit: int) -> list[Recorded]:
        return await self._store.read_stream(run_stream(run_id), after=after, limit=limit)

    async def _read_on(self, stream: str, record: Record | None, until: int | None = None) -> Record | None:
        """Fold on, page by page, so that a long history does not hold up everything else."""
        while True:
            version = 0 if record is None else record.version
            limit = PAGE if until is None else min(PAGE, until - version)
            if limit <= 0:
                return record
            events = await self._store.read_stream(stream, after=version, limit=limit)
            record = fold_on(record, events)
            if len(events) < limit:
                return record

    def _remember(self, stream: str, known: Record | None, record: Record | None) -> None:
        """Keep the fold, in the place of the one that it continues."""
        if record is None or record is known:
            return
        if known is not None:
            self._folds.drop(stream, known.version)
        self._folds.put(stream, record.version, record, record.size)

    def _lock(self, stream: str) -> asyncio.Lock:
        """Whoever asks for the same run at the same time waits for the one fold of it."""
        return self._locks.setdefault(stream, asyncio.Lock())
