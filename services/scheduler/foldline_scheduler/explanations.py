"""Why the steps of a run that do not run do not: what the run knows itself, and what the queue knows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from msgspec.structs import replace

from foldline.domain.inner import child_id
from foldline.domain.run import RunState
from foldline.domain.waiting import WaitingStep, why_waiting
from foldline_scheduler.offers import offer_of
from foldline_scheduler.queue import Queue
from foldline_scheduler.reasons import Reason

MOST = 500
"""Rows of one answer: a map has many items that wait for the same thing."""

Look = Callable[[str], Awaitable[RunState | None]]


class Explanations:
    def __init__(self, queue: Queue, waiting: dict[tuple[str, str], str], look: Look) -> None:
        """`waiting` names the run whose equal attempt a (run, step) waits for."""
        self._queue = queue
        self._waiting = waiting
        self._look = look

    async def of(self, state: RunState, now: datetime) -> list[WaitingStep]:
        """Of the run and the open runs inside it, in the graph's order, inner steps behind their step."""
        found: list[WaitingStep] = []
        queued = self._queue.explain(offer_of(state, now))
        for one in why_waiting(state, now):
            found.append(self._in_full(one, queued))
            for inner_run in _open_children(state, one.step):
                if len(found) >= MOST:
                    return found[:MOST]
                child = await self._look(inner_run)
                if child is not None:
                    found += await self.of(child, now)
        return found[:MOST]

    def _in_full(self, one: WaitingStep, queued: dict[str, Reason]) -> WaitingStep:
        if one.reason == "RECALL" and (holder := self._waiting.get((one.run_id, one.step))):
            message = f"an equal attempt is under way in run {holder}; its outputs will do for both"
            return replace(one, reason="EQUAL_ATTEMPT", message=message)
        if one.reason == "QUEUED" and (reason := queued.get(one.step)) is not None:
            return replace(one, reason=reason.reason, message=reason.message)
        return one


def _open_children(state: RunState, name: str) -> list[str]:
    step = state.step(name)
    if step.children is None or not step.attempts:
        return []
    attempt = step.attempts[-1].number
    return [child_id(state.created.run_id, name, attempt, index) for index in step.children.open]
