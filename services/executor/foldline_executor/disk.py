"""The guard of the disk: below a bound of free space no new work is taken, until there is room again.

Steps that run are left alone: the bound is there so that what they write, logs and reports find room.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

LOOK_SECONDS = 2.0
ENOUGH = 1.1
"""So many times the bound must be free before work is taken again: no going to and fro at the edge."""

log = structlog.get_logger()


class DiskGuard:
    """`problem` is the clause that follows the executor's name while it takes no work; empty when it does."""

    def __init__(
        self,
        folders: Sequence[Path],
        least: int,
        *,
        clean: Callable[[], None],
        changed: asyncio.Event,
    ) -> None:
        """`folders` are on the disks to guard; `clean` removes what can be had again; 0 is no guard."""
        self.problem = ""
        self._folders = folders
        self._least = least
        self._clean = clean
        self._changed = changed

    async def look(self) -> None:
        """Look at the disks; `changed` is set when the answer is another one."""
        problem = await asyncio.to_thread(self._look) if self._least else ""
        if bool(problem) != bool(self.problem):
            self._changed.set()
            if problem:
                log.warning("disk_short", problem=problem)
            else:
                log.info("disk_has_room")
        self.problem = problem

    def _look(self) -> str:
        bound = self._least * ENOUGH if self.problem else self._least
        if not self._shortest(bound):
            return ""
        try:
            self._clean()
        except OSError as error:
            log.warning("disk_not_cleaned", error=str(error))
        return self._shortest(bound)

    def _shortest(self, bound: float) -> str:
        for folder in self._folders:
            try:
                free = shutil.disk_usage(folder).free
            except OSError as error:
                return f"cannot look at the disk of {folder}: {error.strerror}"
            if free < bound:
                return (
                    f"has {_mebibytes(free)} free on the disk of {folder}, and takes work from "
                    f"{_mebibytes(bound)}"
                )
        return ""


def _mebibytes(amount: float) -> str:
    return f"{amount / 1024**2:.0f} MiB"
