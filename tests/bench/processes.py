"""What the processes of an installation need: memory and processor time, from /proc."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress

import psutil

MEGABYTE = 1024 * 1024


def proportional_megabytes(pid: int) -> float:
    """PSS of one process: what it shares with others counts in parts."""
    return float(psutil.Process(pid).memory_full_info().pss) / MEGABYTE


class Stack:
    """A supervisor and everything below it. `names` tells who the programs are that it keeps."""

    def __init__(self, supervisor: int, names: Mapping[int, str]) -> None:
        self._root = psutil.Process(supervisor)
        self._names = {supervisor: "supervisor", **names}

    def memory(self) -> dict[str, float]:
        """PSS in MB by program; the processes of steps and their parents count as "steps"."""
        found: dict[str, float] = {}
        for process, name in self._everyone():
            with suppress(psutil.NoSuchProcess):
                pss = process.memory_full_info().pss / MEGABYTE
                found[name] = found.get(name, 0.0) + pss
        return {name: round(value, 1) for name, value in found.items()}

    def processor_share(self, seconds: float) -> tuple[float, dict[str, float]]:
        """Percent of one processor over so long: of all together, and by program.

        Processes that end meanwhile are not seen; none do while nothing happens.
        """
        before, began = self._times(), time.monotonic()
        time.sleep(seconds)
        after, took = self._times(), time.monotonic() - began
        shares: dict[str, float] = {}
        for pid, (name, used) in after.items():
            spent = used - before.get(pid, (name, 0.0))[1]
            shares[name] = shares.get(name, 0.0) + spent / took * 100
        return sum(shares.values()), {name: round(value, 2) for name, value in shares.items()}

    def spent(self) -> dict[str, float]:
        """Seconds of processor time by program since it began, with those of children that have ended."""
        found: dict[str, float] = {}
        for process, name in self._everyone():
            with suppress(psutil.NoSuchProcess):
                found[name] = found.get(name, 0.0) + sum(process.cpu_times()[:4])
        return found

    def _times(self) -> dict[int, tuple[str, float]]:
        found: dict[int, tuple[str, float]] = {}
        for process, name in self._everyone():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                found[process.pid] = (name, times.user + times.system)
        return found

    def _everyone(self) -> Iterator[tuple[psutil.Process, str]]:
        yield self._root, "supervisor"
        for process in self._root.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                yield process, self._name(process)

    def _name(self, process: psutil.Process) -> str:
        if process.pid in self._names:
            return self._names[process.pid]
        above = [one for one in process.parents() if one.pid in self._names]
        name = self._names[above[0].pid] if above else "other"
        return "steps" if name.startswith("executor") else name
