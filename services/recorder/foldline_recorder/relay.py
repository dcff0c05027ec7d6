"""Facts for outsiders: every event of the ledger goes to JetStream as a CloudEvent, at least once.

The message id is the event's id, so JetStream drops the second copy after a crash. The position is kept
after what it stands for was published. While NATS is away the relay waits; when it comes back, even empty,
the relay goes on from where it was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial

import msgspec

from foldline.bus import subjects
from foldline.bus.port import Bus, Fact, Message
from foldline.chassis import logs
from foldline.chassis.clock import Clock
from foldline.domain.errors import FoldlineError, Kind
from foldline.eventstore import facts
from foldline.eventstore.port import EventStore, Position, Recorded
from foldline.wire import cloudevents
from foldline_recorder import checkpoints, metrics
from foldline_recorder.checkpoints import Checkpoints
from foldline_recorder.patience import until_available

log = logs.logger()

BATCH = 500
"""Published together, in the order of the ledger."""

GATHER_SECONDS = 0.1
"""Between two looks for new events while they keep coming: outsiders can wait, for larger batches."""


class Relay:
    def __init__(self, store: EventStore, bus: Bus, positions: Checkpoints, clock: Clock) -> None:
        self._store = store
        self._bus = bus
        self._positions = positions
        self._lag = metrics.Lag(checkpoints.RELAY, clock)
        self._published: Position | None = None
        self._saved: Position | None = None

    async def run(self) -> None:
        """Publish from the kept position on, for ever. After an error, start again with this."""
        position = await self._positions.load(checkpoints.RELAY)
        log.info("follow_started", follower=checkpoints.RELAY, position=str(position))
        async for batch in self._store.follow(after=position, limit=BATCH, gather_seconds=GATHER_SECONDS):
            self._lag.begin(batch[0].time)
            await self._publish_all(batch)
            self._published = batch[-1].position
            self._lag.end()
            metrics.EVENTS.labels(checkpoints.RELAY).inc(len(batch))

    async def save(self) -> None:
        """Keep the position. Called now and then, for what is done twice after a crash is dropped twice."""
        published = self._published
        if published is not None and published != self._saved:
            await self._positions.save(checkpoints.RELAY, published)
            self._saved = published

    async def close(self) -> None:
        """Keep the position if that can be done, or the last events go out again."""
        try:
            await self.save()
        except FoldlineError as error:
            log.warning("relay_position_not_saved", error=error.message)

    async def _publish_all(self, batch: Sequence[Recorded]) -> None:
        """Publish the batch, again and again until NATS has all of it."""
        await until_available(partial(self._publish, deque(batch)), doing="relay")

    async def _publish(self, waiting: deque[Recorded]) -> None:
        """Publish all that waits; raise when NATS went away in between."""
        try:
            await self._bus.publish_facts([_fact(recorded) for recorded in waiting])
            return
        except (FoldlineError, msgspec.MsgspecError) as error:
            if isinstance(error, FoldlineError) and error.kind is Kind.UNAVAILABLE:
                raise
        # One of them cannot be published.
        while waiting:
            await self._publish_or_park(waiting[0])
            waiting.popleft()

    async def _publish_or_park(self, recorded: Recorded) -> None:
        try:
            await self._bus.publish_facts([_fact(recorded)])
        except (FoldlineError, msgspec.MsgspecError) as error:
            if isinstance(error, FoldlineError) and error.kind is Kind.UNAVAILABLE:
                raise
            await self._park(recorded, error)

    async def _park(self, recorded: Recorded, error: Exception) -> None:
        """Too large, or edited by somebody. Outsiders can still read the event from the recorder."""
        metrics.PARKED.inc()
        log.error("fact_parked", stream=recorded.stream, version=recorded.version, error=str(error))
        pointer = {"id": recorded.id, "stream": recorded.stream, "version": recorded.version}
        subject = subjects.event("", recorded.stream, recorded.type)
        await self._bus.park(Message(subject, msgspec.json.encode(pointer)), str(error))


def _fact(recorded: Recorded) -> Fact:
    """Raises INVALID, or an error of msgspec, for an event that somebody edited."""
    body = cloudevents.encode(
        id=recorded.id,
        stream=recorded.stream,
        version=recorded.version,
        type=recorded.type,
        time=recorded.time,
        payload=recorded.payload,
        meta=recorded.meta,
    )
    subject = subjects.event(facts.meta_of(recorded).workspace, recorded.stream, recorded.type)
    return Fact(subject, body, recorded.id)
