"""The ledger as it grows: the events of all runs, and what may be waited for in them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime

import msgspec

from foldline.eventstore.port import START, EventStore, Recorded

ENDS = {"RunCompleted": "completed", "RunFailed": "failed", "RunStopped": "stopped"}
GATHER_SECONDS = 0.02


class _Retry(msgspec.Struct):
    at: datetime


class Histories:
    """Filled by `follow`. `of` has the events of each run, also inside steps; `ended` has how it ended."""

    def __init__(self) -> None:
        self.of: dict[str, list[Recorded]] = {}
        self.counts: Counter[str] = Counter()
        self.ended: dict[str, str] = {}
        self.newest = 0.0
        """When something was last heard, as the loop counts time."""
        self.next_retry: datetime | None = None
        """When the last of the attempts that were put off is due."""
        self.heard: Callable[[str, Recorded], None] = lambda _run, _event: None
        self._more = asyncio.Event()

    async def follow(self, store: EventStore) -> None:
        """Read for ever."""
        async for batch in store.follow(after=START, gather_seconds=GATHER_SECONDS):
            for one in batch:
                category, _, run_id = one.stream.partition("-")
                if category == "run":
                    self._take(run_id, one)
            self.newest = asyncio.get_running_loop().time()
            self._more.set()
            self._more = asyncio.Event()

    async def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds; False when it did not in time."""
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    await self._more.wait()
        except TimeoutError:
            return holds()
        return True

    def open(self, roots: set[str]) -> list[str]:
        """Of these runs and those inside them, which have not ended."""
        return sorted(one for one in self.inside(roots) if one not in self.ended)

    def inside(self, roots: set[str]) -> dict[str, list[Recorded]]:
        """The events of these runs and of those inside them."""
        return {run_id: events for run_id, events in self.of.items() if run_id.partition(".")[0] in roots} | {
            run_id: [] for run_id in roots if run_id not in self.of
        }

    def forget(self) -> None:
        """What has been checked."""
        self.of.clear()
        self.ended.clear()

    def _take(self, run_id: str, event: Recorded) -> None:
        self.of.setdefault(run_id, []).append(event)
        self.counts[event.type] += 1
        if event.type in ENDS:
            self.ended[run_id] = ENDS[event.type]
        elif event.type == "RunReopened":
            self.ended.pop(run_id, None)
        elif event.type == "RetryScheduled":
            at = msgspec.json.decode(event.payload, type=_Retry).at
            self.next_retry = at if self.next_retry is None else max(at, self.next_retry)
        self.heard(run_id, event)
