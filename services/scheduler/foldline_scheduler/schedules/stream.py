"""One stream of a schedule or trigger, held in memory: load what is new, decide, append, again if beaten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Generic, TypeVar, cast

from foldline.chassis.clock import Clock
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.run_events import Event
from foldline.domain.schedules import ScheduleState
from foldline.domain.triggers import TriggerState
from foldline.eventstore import facts
from foldline.eventstore.port import NO_STREAM, EventStore, VersionConflict
from foldline_scheduler.schedules.views import Seen

S = TypeVar("S", bound=ScheduleState | TriggerState)

Evolve = Callable[[S | None, Event, datetime], S]
Decide = Callable[[S | None, datetime], Sequence[Event]]

MAX_CONFLICTS = 20


class Stream(Generic[S]):
    """Not safe for more than one task calling `write` at a time."""

    def __init__(
        self, name: str, store: EventStore, clock: Clock, evolve: Evolve[S], seen: Seen | None = None
    ) -> None:
        self.name = name
        self.state: S | None = None if seen is None else cast("S", seen.state)
        self._head = NO_STREAM if seen is None else seen.head
        self._store = store
        self._clock = clock
        self._evolve = evolve

    @property
    def version(self) -> int:
        return self._head.version

    async def load(self) -> None:
        """Fold what the ledger has beyond what we know."""
        for recorded in await self._store.read_stream(self.name, after=self._head.version):
            self.state = self._evolve(self.state, facts.decode(recorded), recorded.time)
            self._head = recorded.head

    async def write(self, decide: Decide[S], meta: facts.Meta) -> Sequence[Event]:
        """Append what `decide` says of the state as it is; the events. `decide` raises to refuse."""
        for _ in range(MAX_CONFLICTS):
            now = self._clock.now()
            events = decide(self.state, now)
            if not events:
                return ()
            try:
                self._head = await self._store.append(
                    self.name, self._head, facts.new_events(events, meta, now)
                )
            except VersionConflict:
                await self.load()
                continue
            for event in events:
                self.state = self._evolve(self.state, event, now)
            return events
        raise FoldlineError(
            Kind.CONFLICT, "ENDLESS_CONFLICTS", f"{self.name} is written by others; try again"
        )
