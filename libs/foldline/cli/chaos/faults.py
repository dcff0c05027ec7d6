"""Hurting what runs, for real: signals to processes, cut connections, the storage of NATS, Postgres, files.

What passes after a while (a pause, a cut, a full disk) is ended by a task of its own, so that the next fault
may come meanwhile.
"""

from __future__ import annotations

import asyncio
import resource
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress

import psutil

from foldline.cli.chaos.plan import Fault
from foldline.cli.chaos.wires import Wires
from foldline.cli.stack import state
from foldline.cli.stack.home import Home

BACK_SECONDS = 60.0
LOOK_SECONDS = 0.02

_SIGNALS = {
    "restart": signal.SIGTERM,
    "stop-postgres": signal.SIGQUIT,  # "immediate": every connection is cut, recovery from the log at start
}


class NotBack(Exception):
    """What was hurt did not come back."""


class Faults:
    """Strikes an installation."""

    def __init__(self, home: Home, wires: Wires, tasks: asyncio.TaskGroup) -> None:
        self._home = home
        self._wires = wires
        self._tasks = tasks
        self._passing: set[asyncio.Task[None]] = set()

    async def strike(self, fault: Fault) -> None:
        """Do it. A program that is just being restarted is struck as soon as it is there again."""
        process = await self._process(fault.target)
        match fault.kind:
            case "pause" | "pause-nats":
                _send(process, signal.SIGSTOP)
                self._later(fault.seconds, lambda: _send(process, signal.SIGCONT))
            case "pause-postgres":
                _send(process, signal.SIGSTOP)  # first, so that it makes no more servants
                servants = _family(process) - {process}
                for one in servants:
                    _send(one, signal.SIGSTOP)
                self._later(fault.seconds, lambda: _wake({process, *servants}))
            case "cut-off":
                wire = self._wires[fault.target, fault.server]
                wire.cut(silent=fault.is_silent)
                self._later(fault.seconds, wire.mend)
            case "fill-disk":
                limit_files(process, 0)
                self._later(fault.seconds, lambda: limit_files(process, resource.RLIM_INFINITY))
            case "wipe-nats":
                # It must not run while its files go: they would stay open, and be as if they were there.
                _send(process, signal.SIGKILL)
                shutil.rmtree(self._home.nats / "storage", ignore_errors=True)
            case kind:
                _send(process, _SIGNALS.get(kind, signal.SIGKILL))

    async def pass_by(self) -> None:
        """Wait until all that passes has passed, and every program runs. Raises NotBack."""
        if self._passing:
            await asyncio.wait(self._passing)
        now = state.running(self._home)
        for one in now.processes if now is not None else ():
            await self._process(one.name)

    def _later(self, seconds: float, mend: Callable[[], None]) -> None:
        async def pass_by() -> None:
            try:
                await asyncio.sleep(seconds)
            finally:
                mend()

        task = self._tasks.create_task(pass_by())
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    async def _process(self, target: str) -> psutil.Process:
        deadline = asyncio.get_running_loop().time() + BACK_SECONDS
        while (process := _process(self._home, target)) is None:
            if asyncio.get_running_loop().time() > deadline:
                raise NotBack(f"{target} did not come back within {BACK_SECONDS:g} s")
            await asyncio.sleep(LOOK_SECONDS)
        return process


def limit_files(process: psutil.Process, most: int) -> None:
    """From now on the process and all below it can write to files up to that length only: with 0 it meets on
    every write what it would meet on a full disk. What it starts inherits the limit: look until none is left.
    """
    limited: set[psutil.Process] = set()
    while fresh := _family(process) - limited:
        limited |= fresh
        for one in fresh:
            with suppress(psutil.Error):
                one.rlimit(psutil.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def _family(process: psutil.Process) -> set[psutil.Process]:
    with suppress(psutil.Error):
        return {process, *process.children(recursive=True)}
    return set()


def _process(home: Home, target: str) -> psutil.Process | None:
    """Remembers when it started: a later process with the same number is never struck in its place."""
    now = state.running(home)
    found = [one.pid for one in now.processes if one.name == target] if now is not None else []
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(found[0]) if found and found[0] is not None else None
        return process if process is not None and process.status() != psutil.STATUS_ZOMBIE else None
    return None


def _wake(processes: set[psutil.Process]) -> None:
    for one in processes:
        _send(one, signal.SIGCONT)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
