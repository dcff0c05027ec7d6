"""One run in the hands of its owner: commands in, events appended, effects out.

Commands wait in an inbox; one task at a time takes all that wait, decides them one after the other on the
state as it will be, adds the assignments that become possible, and appends everything as one write. Effects
(work orders, acknowledgements) happen after the commit alone. A version conflict means that somebody else
wrote: load again, decide again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, cast

from foldline.chassis.clock import Clock
from foldline.domain import run_events as ev
from foldline.domain.commands import Command, ScheduleSteps
from foldline.domain.decide import decision_on
from foldline.domain.decision import Decision
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.evolve import fold
from foldline.domain.run import RunState
from foldline.domain.work import AttemptKey
from foldline.eventstore import facts
from foldline.eventstore.port import NO_STREAM, EventStore, VersionConflict
from foldline.execution.lists import Lists
from foldline_scheduler import metrics
from foldline_scheduler.offers import offer_of
from foldline_scheduler.queue import Grant, Queue
from foldline_scheduler.streams import run_stream

#: Somebody else's writes between our load and our append, again and again, are a fault somewhere.
MAX_CONFLICTS = 20

ACTOR = "service:scheduler"


class Posted(NamedTuple):
    """A command in the inbox; `done` gets its outcome, None where nobody waits for it."""

    command: Command
    meta: facts.Meta
    done: asyncio.Future[None] | None


class Outcome(NamedTuple):
    """What one write changed."""

    before: RunState | None
    state: RunState
    events: tuple[ev.RunEvent, ...]
    begun: frozenset[str] = frozenset()  # steps that executors went on with by themselves


class OwnedRun:
    """State and inbox of one run. Not safe for more than one task calling `write` at a time."""

    def __init__(
        self, run_id: str, store: EventStore, queue: Queue | None, clock: Clock, lists: Lists
    ) -> None:
        """Without a queue the run is written, but nothing of it is given to executors."""
        self.run_id = run_id
        self.state: RunState | None = None
        self.inbox: list[Posted] = []
        self.is_writing = False
        self.sent_at: dict[AttemptKey, float] = {}
        self.timer: asyncio.TimerHandle | None = None
        #: The moment on which the last decision stood: what falls due after it was not looked at yet.
        self.decided_at = clock.now()
        self._begun: frozenset[str] = frozenset()
        self._head = NO_STREAM
        self._store = store
        self._queue = queue
        self._clock = clock
        self._lists = lists

    @property
    def version(self) -> int:
        """Of the newest event that is in the state."""
        return self._head.version

    async def load(self) -> list[ev.RunEvent]:
        """Fold what the ledger has beyond what we know; the events that somebody else wrote."""
        recorded = await self._store.read_stream(run_stream(self.run_id), after=self._head.version)
        # Somebody else may have loaded or written them while we waited: no event is folded twice.
        recorded = [one for one in recorded if one.version > self._head.version]
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
            decided, refusals, grants = self._decide(posted, now)
            if decided is None:
                return None, refusals
            try:
                outcome = await self._append(decided, self._meta(posted))
            except VersionConflict:
                metrics.CONFLICTS.inc()
                self._give_back(grants)
                await self.load()
                self._adopt()
                continue
            except BaseException:
                self._give_back(grants)
                raise
            return outcome, refusals
        raise FoldlineError(Kind.INTERNAL, "ENDLESS_CONFLICTS", f"run {self.run_id} is written by others")

    def _decide(
        self, posted: Sequence[Posted], now: datetime
    ) -> tuple[Decision | None, list[FoldlineError | None], tuple[Grant, ...]]:
        """Everything in one decision, None where it has no events; and the refusal of each command."""
        state = self.state
        self.decided_at = now
        events: list[ev.RunEvent] = []
        refusals: list[FoldlineError | None] = []
        for one in posted:
            try:
                more = decision_on(state, one.command, now)
            except FoldlineError as refusal:
                refusals.append(refusal)
                continue
            refusals.append(None)
            state = more.state
            events.extend(more.events)
        if state is None:
            return None, refusals, ()
        self._begun = self._take_begun(state, events)
        grants = self._ask(state, now)
        if grants:
            assignments = tuple((one.key.step, one.session) for one in grants)
            more = decision_on(state, ScheduleSteps(assignments), now)
            state = more.state
            events.extend(more.events)
        return Decision(state, now, events) if events else None, refusals, grants

    def _take_begun(self, state: RunState, events: Sequence[ev.RunEvent]) -> frozenset[str]:
        """Nobody else has scheduled anything by now: these their executors have begun, and go on with."""
        begun = {event.step for event in events if isinstance(event, ev.StepScheduled)}
        if self._queue is not None:
            for step in begun:
                self._queue.begun(state, step)
        return frozenset(begun)

    def _ask(self, state: RunState, now: datetime) -> tuple[Grant, ...]:
        """What of the ready steps may start now; the queue keeps the rest in line."""
        if self._queue is None:
            return ()
        return self._queue.ask(offer_of(state, now, self._queue.basis(self.run_id)))

    def _give_back(self, grants: Sequence[Grant]) -> None:
        if self._queue is not None:
            self._queue.give_back(grants)

    def _adopt(self) -> None:
        """What somebody else wrote may have changed what is under way."""
        if self._queue is not None and self.state is not None:
            self._queue.adopt(self.state)

    def own_meta(self) -> facts.Meta:
        """Who and why of what the scheduler decides by itself."""
        return facts.Meta(actor=ACTOR, workspace=self.state.created.workspace if self.state else "")

    def _meta(self, posted: Sequence[Posted]) -> facts.Meta:
        """Of the person's command among them where there is one, so that its events name the person."""
        metas = [one.meta for one in posted if one.meta.actor != ACTOR] or [one.meta for one in posted]
        return metas[0] if metas else self.own_meta()

    async def _append(self, decided: Decision, meta: facts.Meta) -> Outcome:
        before, events = self.state, decided.events
        await self._lists.keep(events, decided.state)
        head = await self._store.append(
            run_stream(self.run_id), self._head, facts.new_events(events, meta, decided.now)
        )
        self.state = decided.state
        self._head = head
        metrics.EVENTS.inc(len(events))
        return Outcome(before, decided.state, tuple(events), self._begun)


def answer(answers: Iterable[tuple[Posted, FoldlineError | None]]) -> None:
    """Tell who waits for them what became of their commands."""
    for one, refusal in answers:
        if one.done is not None and not one.done.done():
            one.done.set_result(None) if refusal is None else one.done.set_exception(refusal)


def refuse(posted: Iterable[Posted], run_id: str) -> None:
    message = f"run {run_id} is moving to another scheduler; try again"
    answer((one, FoldlineError(Kind.UNAVAILABLE, "RUN_MOVING", message)) for one in posted)
