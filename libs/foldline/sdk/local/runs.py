"""The runs of this process: one that was started, and those inside it, decided on and recorded one by one.

Every command goes the same way as on an installation: decide, store the lists that the events name, record
the events, and only then carry out what follows from them. An inner run that has ended is let go of.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec import UNSET

from foldline.chassis.clock import Clock
from foldline.domain import commands, effects, inner
from foldline.domain.decide import decide
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.evolve import fold
from foldline.domain.run import RunState
from foldline.domain.run_events import RunCreated, RunEvent
from foldline.execution.lists import Lists
from foldline.sdk.record import Record

Changed = Callable[[RunState, Sequence[RunEvent], datetime], None]
"""Told after each step forward of each run: the new state, the events that led to it, and when."""

Order = effects.Dispatch | effects.StopAttempt


@dataclass(slots=True)
class Open:
    """A run that has not ended, and where its record is."""

    state: RunState
    record: Record


class Runs:
    """`on_order` is given what is to be said to executors: the run, and the order."""

    def __init__(
        self, lists: Lists, clock: Clock, *, changed: Changed, on_order: Callable[[Open, Order], None]
    ) -> None:
        self.open: dict[str, Open] = {}
        self.touched: dict[str, None] = {}
        """Runs that have moved since somebody looked, in order."""
        self.final: RunState | None = None
        """Of the run that was started, once it has ended."""
        self.ended: dict[str, list[RunState]] = {}
        """Of steps that may be tried again: their inner runs that have ended, by the run that they are in."""
        self._lists = lists
        self._clock = clock
        self._changed = changed
        self._on_order = on_order
        self._unsaid: deque[tuple[str, effects.Effect]] = deque()

    async def create(self, created: RunCreated, record: Record) -> None:
        await self._play(None, commands.CreateRun(created), record)
        await self._carry_out()

    async def command(self, run_id: str, command: commands.Command) -> None:
        """Carry out a command and all that follows from it in any run. Raises what `decide` raises."""
        run = self.open[run_id]
        await self._play(run.state, command, run.record)
        await self._carry_out()

    async def _play(self, before: RunState | None, command: commands.Command, record: Record) -> None:
        now = self._clock.now()
        events = list(decide(before, command, now))
        state = fold(((event, now) for event in events), before)
        if not events:
            return
        await self._lists.keep(events, state)
        run_id, version = state.created.run_id, 0 if before is None else before.version
        for place, event in enumerate(events, 1):
            record.write(version + place, event, now)
        self.open[run_id] = Open(state, record)
        self.touched[run_id] = None
        self._unsaid.extend((run_id, effect) for effect in effects.effects(events, state))
        self._changed(state, events, now)
        if state.is_final and not state.is_part:
            self.final = state
            del self.open[run_id]

    async def _carry_out(self) -> None:
        while self._unsaid:
            run_id, effect = self._unsaid.popleft()
            run = self.open.get(run_id)
            if run is not None:
                await self._carry_out_one(run, effect)

    async def _carry_out_one(self, run: Open, effect: effects.Effect) -> None:
        state = run.state
        match effect:
            case effects.Dispatch() | effects.StopAttempt():
                self._on_order(run, effect)
            case effects.CreateChild():
                await self._create_child(run, effect)
            case effects.StopChild():
                child = inner.child_id(state.created.run_id, effect.step, effect.attempt, effect.index)
                await self._tell(child, commands.RequestStop(forced=effect.forced))
            case effects.TellParent():
                await self._tell_parent(run)
            case effects.PauseChild() | effects.ResumeChild():
                raise AssertionError("local runs are not paused")

    async def _create_child(self, run: Open, effect: effects.CreateChild) -> None:
        state = run.state
        step = state.step(effect.step)
        if step.children is None or effect.index not in step.children.open:
            return
        is_map = state.plan.step(effect.step).map is not UNSET
        items = await self._lists.items(state, effect.step) if is_map else ()
        created = inner.created(state, effect.step, effect.index, items)
        record = run.record.inside(f"{effect.step}.{step.attempts[-1].number}.{effect.index}")
        await self._play(None, commands.CreateRun(created), record)

    async def _tell(self, child_id: str, command: commands.Command) -> None:
        """A child that ends already refuses; that is as good."""
        child = self.open.get(child_id)
        if child is None:
            return
        try:
            await self._play(child.state, command, child.record)
        except FoldlineError as error:
            if error.kind is not Kind.PRECONDITION:
                raise

    async def _tell_parent(self, child: Open) -> None:
        parent = child.state.created.parent
        assert parent is not UNSET
        del self.open[child.state.created.run_id]
        outer = self.open.get(parent.run_id)
        if outer is None:
            return
        if _may_come_again(outer.state, parent.step):
            self.ended.setdefault(parent.run_id, []).append(child.state)
        command = commands.ReceiveChild(inner.ended(child.state), jitter=random.random())  # noqa: S311
        await self._play(outer.state, command, outer.record)


def _may_come_again(state: RunState, step: str) -> bool:
    retry = state.plan.step(step).retry
    return retry.max_attempts > 1 or retry.on_exhausted == "pause"
