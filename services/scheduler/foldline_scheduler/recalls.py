"""Answers to steps that ask whether an equal attempt is known: from earlier runs, or from the cache.

A step of a run that was made from others asks the index of those. A step that declares `cache` asks the
table: what is there is taken over; where an equal attempt is under way, the step waits for it; otherwise it
claims the key and runs. What it gives is kept for others, and a claim that led to nothing is given up
(`learn`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from msgspec import UNSET

from foldline.domain import recall
from foldline.domain import run_events as ev
from foldline.domain.commands import Recall
from foldline.domain.keys import key_of
from foldline.domain.relations import Reuse
from foldline.domain.run import RunState, recallable
from foldline.domain.values import Unresolvable
from foldline_scheduler.lineages import Lineages
from foldline_scheduler.reuse import Known, ReuseTable

Look = Callable[[str], Awaitable[RunState | None]]


class Recalls:
    def __init__(self, lineages: Lineages, table: ReuseTable, look: Look) -> None:
        self._lineages = lineages
        self._table = table
        self._look = look
        self.waiting: dict[tuple[str, str], str] = {}
        """(run, step) that waits for an equal attempt: the run of that one."""

    async def answers(self, state: RunState) -> list[Recall]:
        """For every step that asks and need not wait. Raises UNAVAILABLE."""
        names = recallable(state)
        if not names:
            return []
        if state.created.origin is not UNSET:
            index = await self._lineages.index(state.created)
            return [recall.recall(state, name, index) for name in names]
        found = [await self._cached(state, name) for name in names]
        return [one for one in found if one is not None]

    async def learn(self, events: Iterable[ev.RunEvent], state: RunState) -> None:
        """Keep what attempts gave that others may take over; give up claims that led to nothing."""
        if state.created.cache in ("off", "read_only"):
            return
        run_id = state.created.run_id
        for event in events:
            match event:
                case ev.AttemptSucceeded() if state.plan.step(event.step).cache:
                    reuse = Reuse(
                        run_id=run_id,
                        step=event.step,
                        attempt=event.attempt,
                        outputs=event.outputs,
                        metrics=event.metrics,
                    )
                    await self._table.keep(key_of(state, event.step), reuse)
                case ev.StepFailed() | ev.StepHeld() | ev.StepStopped() if state.plan.step(event.step).cache:
                    await self._table.release(run_id, [event.step])
                case ev.RunFailed() | ev.RunStopped() if state.plan.has_cache:
                    await self._table.release(run_id)

    async def _cached(self, state: RunState, name: str) -> Recall | None:
        """The answer from the table; None where an equal attempt is under way."""
        try:
            key = key_of(state, name)
        except Unresolvable as error:
            return Recall(step=name, key="", reason=error.message)
        run_id, mode = state.created.run_id, state.created.cache
        self.waiting.pop((run_id, name), None)
        if mode == "refresh":
            return Recall(step=name, key=key, reason="the run refreshes the cache")
        known = await self._table.find(key)
        if known is not None and known.reuse is not None:
            reason = f"equal attempt in run {known.run_id}, step {known.step}"
            return Recall(step=name, key=key, reason=reason, reuse=known.reuse)
        if mode == "read_only":
            return Recall(step=name, key=key, reason="no equal attempt is known")
        if known is not None and (known.run_id, known.step) != (run_id, name):
            if not await self._is_over(known):
                self.waiting[run_id, name] = known.run_id
                return None
            claimed = await self._table.claim(key, run_id, name, abandoned=known.run_id)
        else:
            claimed = known is not None or await self._table.claim(key, run_id, name)
        if not claimed:
            return await self._cached(state, name)
        return Recall(step=name, key=key, reason="no equal attempt is known")

    async def _is_over(self, known: Known) -> bool:
        """Has the attempt that others wait for ended without giving anything?"""
        holder = await self._look(known.run_id)
        if holder is None or holder.is_final:
            return True
        step = holder.steps[holder.plan.index[known.step]] if known.step in holder.plan.index else None
        return step is None or step.is_final or step.status == "held"
