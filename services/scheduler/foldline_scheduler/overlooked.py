"""What other schedulers wrote to runs of ours without our hearing of it.

A command that comes to a scheduler that does not own the run is written there, and the owner is poked. The
poke may be lost, with NATS or with who should have sent it. An owner that is about to write would meet a
version conflict and learn of it; one whose run rests would never look. So runs that rest are compared with
the ledger, a bounded number at a time.
"""

from __future__ import annotations

from bisect import bisect_right

from foldline.eventstore.port import EventStore
from foldline_scheduler.owner import Owner
from foldline_scheduler.streams import run_stream

AT_ONCE = 500
"""Looking up so many takes the database some milliseconds."""


class Overlooked:
    def __init__(self, owner: Owner, store: EventStore, *, at_once: int = AT_ONCE) -> None:
        self._owner = owner
        self._store = store
        self._at_once = at_once
        self._last = ""

    async def look(self) -> None:
        """Have the owner take in what the ledger has beyond it; with many runs the next ones next time."""
        resting = self._owner.resting()
        ids = sorted(resting)
        begin = bisect_right(ids, self._last)
        some = ids[begin : begin + self._at_once]
        self._last = some[-1] if len(some) == self._at_once else ""
        if not some:
            return
        versions = await self._store.versions([run_stream(run_id) for run_id in some])
        for run_id in some:
            if versions.get(run_stream(run_id), 0) > resting[run_id].version:
                await self._owner.reload(run_id)
