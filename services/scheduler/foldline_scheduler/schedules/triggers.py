"""Drives triggers: listens to their subjects, judges events, starts the runs of those that fire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from foldline.bus.port import Bus, Message, Subscription
from foldline.domain import triggers
from foldline.domain.schedule_events import ScheduleEvent
from foldline.domain.triggers import TriggerState, Verdict
from foldline.eventstore import facts
from foldline_scheduler.schedules import filters
from foldline_scheduler.schedules.driver import Driver, Held
from foldline_scheduler.schedules.stream import Stream
from foldline_scheduler.schedules.streams import TRIGGER, actor_of, mint_fired_run_id


class Listening:
    """A subscription of a trigger, and what it ignored since that was last recorded."""

    def __init__(self, subject: str, subscription: Subscription) -> None:
        self.subject = subject
        self.subscription = subscription
        self.ignored: dict[str, tuple[Verdict, int]] = {}  # by reason: the last one, and how many


class Triggers(Driver[TriggerState]):
    category = TRIGGER
    evolve = staticmethod(triggers.evolve)
    end_run = staticmethod(triggers.end_run)
    refuse_run = staticmethod(triggers.refuse_run)

    def listen_on(self, bus: Bus) -> None:
        """Where subjects are listened to. Once, before anything else."""
        self._bus = bus
        self._listening: dict[str, Listening] = {}

    async def judge(self, name: str, state: TriggerState, event: bytes) -> tuple[Verdict, tuple[str, ...]]:
        """What the trigger makes of an event, and the triggers that led to it."""
        verdict = filters.judge(state.settings, event, actor_of(name))
        if verdict.reason or not verdict.run_id:
            return verdict, ()
        causes = await self._starts.causes(verdict.run_id)
        return triggers.caused(verdict, actor_of(name), causes), causes

    async def take(
        self, stream: Stream[TriggerState], verdict: Verdict, causes: tuple[str, ...], meta: facts.Meta
    ) -> str:
        """Record what becomes of an event; the run that it starts, "" where it is ignored.

        An event that came before gives the run that it gave then.
        """
        run_id = ""
        if not verdict.reason:
            run_id = mint_fired_run_id(stream.name, f"{verdict.source}\n{verdict.event_id}")
            if await self._starts.exists(run_id):
                return run_id

        def decide(state: TriggerState | None, _now: datetime) -> Sequence[ScheduleEvent]:
            live = triggers.require(state, *actor_of(stream.name).partition(":")[2].split("/"))
            return triggers.receive(live, verdict, run_id, causes=causes)

        await stream.write(decide, meta)
        return run_id

    async def work(self, held: Held[TriggerState]) -> None:
        await self.note_ends(held)
        state = held.stream.state
        if state is None:
            return
        await self._listen(held, "" if state.is_deleted else state.settings.subject)
        await self._note_ignored(held)
        for fired in state.open:
            await self.start(held, state.settings.workflow, fired.values, fired.run_id, fired.causes)
        held.started &= {fired.run_id for fired in state.open}

    async def flush(self) -> None:
        """Record what was ignored lately. Called once a second, so that a busy subject costs few facts."""
        for name, listening in list(self._listening.items()):
            if listening.ignored and name in self.held:
                self.touch(self.held[name])

    async def let_go(self, held: Held[TriggerState]) -> None:
        await self._listen(held, "")

    async def close(self) -> None:
        """Stop listening, at the end of the process."""
        for held in self.held.values():
            await self._listen(held, "")

    async def _listen(self, held: Held[TriggerState], subject: str) -> None:
        name = held.stream.name
        present = self._listening.get(name)
        if present is not None and present.subject != subject:
            del self._listening[name]
            await present.subscription.close()
            present = None
        if present is None and subject:
            subscription = await self._bus.subscribe(subject, partial(self._on_event, held))
            self._listening[name] = Listening(subject, subscription)

    async def _on_event(self, held: Held[TriggerState], message: Message) -> None:
        name = held.stream.name
        state = held.stream.state
        listening = self._listening.get(name)
        if state is None or listening is None or not self._owner.owns(name):
            return
        verdict, causes = await self.judge(name, state, message.body)
        if verdict.reason:
            _, count = listening.ignored.get(verdict.reason, (verdict, 0))
            listening.ignored[verdict.reason] = (verdict, count + 1)
            return
        # A stream of its own: `held`'s is written by the task that drives it.
        await self.take(await self.open(name), verdict, causes, self.meta(held))
        self.touch(held)

    async def _note_ignored(self, held: Held[TriggerState]) -> None:
        listening = self._listening.get(held.stream.name)
        while listening is not None and listening.ignored:
            _, (verdict, count) = listening.ignored.popitem()

            def decide(
                state: TriggerState | None, _now: datetime, verdict: Verdict = verdict, count: int = count
            ) -> Sequence[ScheduleEvent]:
                return () if state is None else triggers.receive(state, verdict, "", count)

            await held.stream.write(decide, self.meta(held))
