"""Watches what an attempt takes while it runs: memory, processes, disk. The kernel's own limits on groups of
processes (cgroups) need rights that an executor seldom has; looking twenty times a second needs none.

An attempt without such limits is looked at only once it has lasted a while, for the number of its processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from foldline.runtime import bounds, kernel, verdicts
from foldline.runtime.jobs import Limits, Product, StepFailure

MOST_PROCESSES = 2000
"""Of an attempt that says nothing of it: enough for any honest step, too few for a fork bomb."""

_PERIOD_SECONDS = 0.05
_UNLIMITED_SECONDS = 1.0
_LOOKS_PER_DISK = 10


def pause_of(limits: Limits) -> float:
    """Seconds between one look and the next."""
    has_limits = limits.memory_bytes or limits.disk_bytes or limits.processes
    return _PERIOD_SECONDS if has_limits else _UNLIMITED_SECONDS


class Watch:
    """Of one attempt, by the id of its process. Whatever that has started is below it, in a session of its
    own or not, because it is a subreaper."""

    def __init__(self, pid: int, folder: str, limits: Limits) -> None:
        """`folder` is the one that it works in."""
        self._pid = pid
        self._folder = folder
        self._limits = limits
        self._most = limits.processes or MOST_PROCESSES
        self._looks = 0

    async def look(self) -> StepFailure | None:
        """The limit that is broken now."""
        self._looks += 1
        pids = kernel.tree(self._pid, self._most + 1)
        if len(pids) > self._most:
            return verdicts.processes_exceeded(self._most)
        limit = self._limits.memory_bytes
        # The first is quick to ask and counts for each process what it shares; the second is exact.
        if limit and sum(map(kernel.resident_bytes, pids)) > limit:
            taken = sum(map(kernel.proportional_bytes, pids))
            if taken > limit:
                return verdicts.memory_exceeded(limit, taken)
        if self._limits.disk_bytes and self._looks % _LOOKS_PER_DISK == 0:
            return await disk_exceeded(self._folder, self._limits.disk_bytes)
        return None


async def disk_exceeded(
    folder: Path | str, limit: int, outputs: Iterable[Product] = (), already: int = 0
) -> StepFailure | None:
    """Outputs that are files are in the folder; those that are text count, too."""
    taken = already + await asyncio.to_thread(bounds.bytes_in, folder)
    taken += sum(len((output.text or "").encode()) for output in outputs)
    return verdicts.disk_exceeded(limit, taken) if taken > limit else None
