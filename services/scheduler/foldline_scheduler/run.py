"""One run in the hands of its owner: commands in, events appended, effects out.

Commands wait in an inbox; one task at a time takes all that wait, decides them one after the other on the
state as it will be, adds the assignments that become possible, and appends everything as one write. Effects
(work orders, acknowledgements) happen after the commit alone. A version conflict means that somebody else
wrote: load again, decide again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, cast

from foldline.chassis.clock import Clock
from foldline.domain import run_events as ev
from foldline.domain.commands import Command, ScheduleSteps
from foldline.domain.decide import decide
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.evolve import fold
from foldline.domain.run import RunState, ready
from foldline.domain.work import AttemptKey
from foldline.eventstore import facts
from foldline.eventstore.port import NO_STREAM, EventStore, VersionConflict
from foldline.execution.lists import Lists
from foldline_scheduler import metrics
from foldline_scheduler.executors import Executors
from foldline_scheduler.streams import run_stream

#: Somebody else's writes between our load and our append, again and again, are a fault somewhere.
MAX_CONFLICTS = 20

ACTOR = "service:scheduler"


class Posted(NamedTuple):
    """A command in the inbox; `done` gets its outcome, None where nobody waits for it."""

    command: Command
    meta: facts.Meta
    done: asyncio.Future[None] | None


class Reservation(NamedTuple):
    """A slot that is kept for an attempt."""

    session: str
    key: AttemptKey


class Outcome(NamedTuple):
    """What one write changed."""

    before: RunState | None
    state: RunState
    events: tuple[ev.RunEvent, ...]


class OwnedRun:
    """State and inbox of one run. Not safe for more than one task calling `write` at a time."""

    def __init__(
        self, run_id: str, store: EventStore, executors: Executors, clock: Clock, lists: Lists
    ) -> None:
        self.run_id = run_id
        self.state: RunState | None = None
        self.inbox: list[Posted] = []
        self.is_writing = False
        self.sent_at: dict[AttemptKey, float] = {}
        self.looked_at = -1  # the executors' `changes` when slots were last asked for
        self.timer: asyncio.TimerHandle | None = None
        self._head = NO_STREAM
        self._store = store
        self._executors = executors
        self._clock = clock
        self._lists = lists

    async def load(self) -> list[ev.RunEvent]:
        """Fold what the ledger has beyond what we know; the events that somebody else wrote."""
        recorded = await self._store.read_stream(run_stream(self.run_id), after=self._head.version)
        if not recorded:
            return []
        history = [(cast("ev.RunEvent", facts.decode(one)), one.time) for one in recorded]
        self.state = fold(history, self.state)
        self._head = recorded[-1].head
        return [event for event, _ in history]

    async def write(self, posted: Sequence[Posted]) -> tuple[Outcome | None, list[FoldlineError | None]]:
        """Decide and append; the outcome (None when nothing was to be written) and each command's refusal.

        Without commands it only gives out what is ready.
        """
        for _ in range(MAX_CONFLICTS):
            now = self._clock.now()
            events, refusals, scheduled = self._decide(posted, now)
            if not events:
                return None, refusals
            try:
                outcome = await self._append(events, self._meta(posted), now)
            except VersionConflict:
                metrics.CONFLICTS.inc()
                self._unreserve(scheduled)
                await self.load()
                continue
            except BaseException:
                self._unreserve(scheduled)
                raise
            return outcome, refusals
        raise FoldlineError(Kind.INTERNAL, "ENDLESS_CONFLICTS", f"run {self.run_id} is written by others")

    def _decide(
        self, posted: Sequence[Posted], now: datetime
    ) -> tuple[list[ev.RunEvent], list[FoldlineError | None], tuple[Reservation, ...]]:
        state = self.state
        events: list[ev.RunEvent] = []
        refusals: list[FoldlineError | None] = []
        for one in posted:
            try:
                more = decide(state, one.command, now)
            except FoldlineError as refusal:
                refusals.append(refusal)
                continue
            refusals.append(None)
            if more:
                state = fold(((event, now) for event in more), state)
                events.extend(more)
        if state is None:
            return events, refusals, ()
        reserved = self._reserve(state, now)
        if reserved:
            assignments = tuple((one.key.step, one.session) for one in reserved)
            events.extend(decide(state, ScheduleSteps(assignments), now))
        return events, refusals, reserved

    def _reserve(self, state: RunState, now: datetime) -> tuple[Reservation, ...]:
        """A slot for every ready step that can have one now."""
        self.looked_at = self._executors.changes
        reserved = []
        for name in ready(state, now):
            pool = state.plan.step(name).resources.pool
            session = self._executors.choose(region=state.created.region, pool=pool)
            if session is None:
                continue
            attempt = len(state.step(name).attempts) + 1
            key = AttemptKey(run_id=self.run_id, step=name, attempt=attempt)
            self._executors.reserve(session, key)
            reserved.append(Reservation(session, key))
        return tuple(reserved)

    def own_meta(self) -> facts.Meta:
        """Who and why of what the scheduler decides by itself."""
        return facts.Meta(actor=ACTOR, workspace=self.state.created.workspace if self.state else "")

    def _meta(self, posted: Sequence[Posted]) -> facts.Meta:
        """Of the person's command among them where there is one, so that its events name the person."""
        metas = [one.meta for one in posted if one.meta.actor != ACTOR]
        return metas[0] if metas else self.own_meta()

    def _unreserve(self, reserved: Sequence[Reservation]) -> None:
        for one in reserved:
            self._executors.release(one.session, one.key)

    async def _append(
        self,
        events: list[ev.RunEvent],
        meta: facts.Meta,
        now: datetime,
    ) -> Outcome:
        before = self.state
        state = fold(((event, now) for event in events), before)
        await self._lists.keep(events, state)
        head = await self._store.append(
            run_stream(self.run_id), self._head, facts.new_events(events, meta, now)
        )
        self.state = state
        self._head = head
        metrics.EVENTS.inc(len(events))
        return Outcome(before, state, tuple(events))
