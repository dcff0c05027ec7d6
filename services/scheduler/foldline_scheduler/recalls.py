"""Answers to steps that ask whether an equal attempt is known: from earlier runs, or from the cache.

A step of a run that was made from others asks the index of those. A step that declares `cache` asks the
table: what is there is taken over; where an equal attempt is under way, the step waits for it; otherwise it
claims the key and runs. What it gives is kept for others, and a claim that led to nothing is given up
(`learn`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from msgspec import UNSET

from foldline.domain import caching, recall
from foldline.domain import run_events as ev
from foldline.domain.commands import Recall
from foldline.domain.keys import key_of
from foldline.domain.relations import Reuse
from foldline.domain.run import RunState, recallable
from foldline.domain.values import Unresolvable
from foldline_scheduler.lineages import Lineages
from foldline_scheduler.reuse import Entry, ReuseTable, reuse_row

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
        found = [await self._answer(state, name) for name in names]
        return [one for one in found if one is not None]

    async def _answer(self, state: RunState, name: str) -> Recall | None:
        """From the runs that the run was made from, then from the cache; None where it is to wait."""
        if state.created.origin is UNSET:
            return await self._cached(state, name)
        answer = recall.recall(state, name, await self._lineages.index(state.created))
        if not caching.asks_behind(state, name, answer):
            return answer
        cached = await self._cached(state, name)
        return None if cached is None else caching.behind(answer, cached)

    async def learn(self, events: Iterable[ev.RunEvent], state: RunState) -> None:
        """Keep what attempts gave that others may take over; give up claims that led to nothing."""
        run_id = state.created.run_id
        for event in events:
            match event:
                case ev.AttemptSucceeded() if caching.claims(state, event.step):
                    if caching.offers(state, event.step):
                        await self._keep(state, event)
                    else:
                        await self._table.release(run_id, [event.step])
                case ev.StepFailed() | ev.StepHeld() | ev.StepStopped() if caching.claims(state, event.step):
                    await self._table.release(run_id, [event.step])
                case ev.RunFailed() | ev.RunStopped():
                    await self._table.release(run_id)

    async def _keep(self, state: RunState, event: ev.AttemptSucceeded) -> None:
        reuse = Reuse(
            run_id=state.created.run_id,
            step=event.step,
            attempt=event.attempt,
            outputs=event.outputs,
            metrics=event.metrics,
        )
        await self._table.keep(_row(state, key_of(state, event.step)), reuse)

    async def _cached(self, state: RunState, name: str) -> Recall | None:
        """The answer from the table; None where an equal attempt is under way."""
        try:
            key = key_of(state, name)
        except Unresolvable as error:
            return Recall(step=name, key="", reason=error.message)
        run_id, row = state.created.run_id, _row(state, key)
        self.waiting.pop((run_id, name), None)
        while True:
            entry = await self._table.find(row) if caching.reads(state, name) else None
            known, abandoned = await self._known(entry)
            decided = caching.decide_on(state, name, key, known)
            if isinstance(decided, caching.Wait):
                self.waiting[run_id, name] = decided.run_id
                return None
            is_mine = entry is not None and (entry.run_id, entry.step) == (run_id, name)
            if decided.reuse is not UNSET or is_mine or not caching.claims(state, name):
                return decided
            if not caching.reads(state, name):
                return decided  # it refreshes: whoever runs already goes on, and the newest is kept
            if await self._table.claim(row, run_id, name, abandoned=abandoned):
                return decided

    async def _known(self, entry: Entry | None) -> tuple[caching.Known, str]:
        """What the table's entry means now; and the run whose claim led to nothing."""
        if entry is None:
            return caching.Nothing(), ""
        if entry.reuse is not None:
            return entry.reuse, ""
        if caching.moves(await self._look(entry.run_id), entry.step):
            return caching.UnderWay(entry.run_id, entry.step), ""
        return caching.Nothing(), entry.run_id


def _row(state: RunState, key: str) -> str:
    return reuse_row(state.created.workspace, key)
