"""Drives schedules: asks the clock what is due, appends it, starts the runs."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from foldline.domain import firings, schedules
from foldline.domain.schedule_events import ScheduleEvent
from foldline.domain.schedules import ScheduleState
from foldline_scheduler.schedules.driver import Driver, Held
from foldline_scheduler.schedules.streams import SCHEDULE, actor_of, mint_fired_run_id


class Schedules(Driver[ScheduleState]):
    category = SCHEDULE
    evolve = staticmethod(schedules.evolve)
    end_run = staticmethod(schedules.end_run)
    refuse_run = staticmethod(schedules.refuse_run)

    async def tick(self) -> None:
        """See whose time has come. Called four times a second; looks into memory alone."""
        now = self._clock.now()
        for held in list(self.held.values()):
            if held.next is not None and held.next <= now and not held.is_busy:
                self.touch(held)

    async def work(self, held: Held[ScheduleState]) -> None:
        stream = held.stream
        mint = partial(mint_fired_run_id, stream.name)

        def decide(state: ScheduleState | None, now: datetime) -> list[ScheduleEvent]:
            return [] if state is None else firings.advance(state, now, mint)

        await self.note_ends(held)
        while True:
            events = await stream.write(decide, self.meta(held))
            await self._carry_out(held)
            if not events:
                break
        state = stream.state
        held.next = None if state is None else firings.next_moment(state)

    async def _carry_out(self, held: Held[ScheduleState]) -> None:
        """Start what was fired, stop what is in the way. After the facts, and again after a crash."""
        state = held.stream.state
        if state is None:
            return
        for firing in state.open:
            values = firings.values(state, firing.at)
            await self.start(held, state.settings.workflow, values, firing.run_id)
        for run_id in firings.must_stop(state):
            reason = f"schedule {state.schedule}: the next time has come"
            await self._starts.stop(actor_of(held.stream.name), state.workspace, run_id, reason)
        held.started &= {firing.run_id for firing in state.open}
