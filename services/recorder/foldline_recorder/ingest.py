"""Follows the ledger: tells the watchers, then keeps the read model of runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter

from foldline.chassis import logs
from foldline.chassis.clock import Clock
from foldline.eventstore.port import EventStore, Recorded
from foldline.wire.events import RUN_TYPES
from foldline.wire.upcast import UPCASTERS
from foldline_recorder import checkpoints, metrics
from foldline_recorder.broadcast import Broadcast
from foldline_recorder.checkpoints import Checkpoints
from foldline_recorder.patience import until_available
from foldline_recorder.projections.runs import Runs
from foldline_recorder.records import Record, Records, UnreadableRecord

log = logs.logger()

TYPES = frozenset({*RUN_TYPES, *UPCASTERS})
"""An event of a run that is of none of these is missed as a gap in the versions of its stream."""

ENDS = frozenset({"RunCompleted", "RunFailed", "RunStopped"})
"""Whoever watches a run hears of its end at once."""

BATCH = 500
BEHIND_SECONDS = 1.0

GATHER_SECONDS = 0.05
"""Between two looks for new events while they keep coming: nobody who watches notices, and a busy ledger is
read in tens of commits instead of one by one."""


class Ingest:
    def __init__(
        self,
        store: EventStore,
        records: Records,
        runs: Runs,
        broadcast: Broadcast,
        positions: Checkpoints,
        clock: Clock,
    ) -> None:
        self._store = store
        self._records = records
        self._runs = runs
        self._broadcast = broadcast
        self._positions = positions
        self._lag = metrics.Lag(checkpoints.RUNS, clock)

    async def run(self) -> None:
        """Follow from where the read model stands, for ever. After an error, start again with this."""
        position = await self._positions.load(checkpoints.RUNS)
        log.info("follow_started", follower=checkpoints.RUNS, position=str(position))
        async for batch in self._store.follow(
            after=position, types=TYPES, limit=BATCH, gather_seconds=GATHER_SECONDS, urgent=self._urgent
        ):
            self._lag.begin(batch[0].time)
            await until_available(partial(self._take_in, batch), doing="ingest")
            self._lag.end()
            metrics.EVENTS.labels(checkpoints.RUNS).inc(len(batch))

    def _urgent(self) -> frozenset[str]:
        return ENDS if self._broadcast.watched() else frozenset()

    async def look_after_watchers(self) -> None:
        """While the follower is behind (it rebuilds, or cannot write), look the watched runs up."""
        if self._lag.seconds() < BEHIND_SECONDS:
            return
        for stream, version in self._broadcast.watched().items():
            self._broadcast.publish(stream, await self._store.read_stream(stream, after=version, limit=BATCH))

    async def _take_in(self, batch: Sequence[Recorded]) -> None:
        by_stream = sorted(batch, key=attrgetter("stream"))  # stable, so each stream stays in order
        streams = [(stream, list(events)) for stream, events in groupby(by_stream, attrgetter("stream"))]
        records: list[Record] = []
        for stream, events in streams:
            record = await self._fold(stream, events)
            # Behind the fold, so that whoever wakes up finds it in memory.
            self._broadcast.publish(stream, events)
            if record is not None:
                records.append(record)
        await self._runs.write(records, batch[-1].position)

    async def _fold(self, stream: str, events: Sequence[Recorded]) -> Record | None:
        """The record behind these events. One that cannot be read stays behind, the rest goes on."""
        try:
            return await self._records.follow(stream, events)
        except UnreadableRecord as error:
            metrics.UNREADABLE.inc()
            log.error("record_unreadable", stream=stream, error=error.message)
            return error.readable
