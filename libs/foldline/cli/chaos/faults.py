"""Hurting what runs, for real: signals to processes, the storage of NATS, the connections of Postgres."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import suppress

from foldline.cli.chaos.plan import Fault
from foldline.cli.stack import state
from foldline.cli.stack.home import Home

RESTART_SECONDS = 60.0
LOOK_SECONDS = 0.05


class NotBack(Exception):
    """What was hurt did not come back."""


async def strike(home: Home, fault: Fault) -> None:
    """Do it, and return once the program runs again. (It may be hurt again before it is of any use.)"""
    pid = _pid(home, fault.target)
    if pid is None:  # it is just being restarted: that is fault enough
        await _until_back(home, fault.target, 0)
        return
    match fault.kind:
        case "pause" | "cut-off":
            _send(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(fault.seconds)
            finally:
                _send(pid, signal.SIGCONT)
            return
        case "restart":
            _send(pid, signal.SIGTERM)
        case "stop-postgres":
            _send(pid, signal.SIGQUIT)  # "immediate": every connection is cut, recovery from the log at start
        case "wipe-nats":
            # It must not run while its files go: they would stay open, and be as if they were there.
            _send(pid, signal.SIGKILL)
            shutil.rmtree(home.nats / "storage", ignore_errors=True)
        case _:
            _send(pid, signal.SIGKILL)
    await _until_back(home, fault.target, pid)


async def _until_back(home: Home, target: str, before: int) -> None:
    deadline = asyncio.get_running_loop().time() + RESTART_SECONDS
    while (pid := _pid(home, target)) is None or pid == before:
        if asyncio.get_running_loop().time() > deadline:
            raise NotBack(f"{target} did not come back within {RESTART_SECONDS:g} s")
        await asyncio.sleep(LOOK_SECONDS)


def _pid(home: Home, target: str) -> int | None:
    now = state.running(home)
    found = [one for one in now.processes if one.name == target] if now is not None else []
    return found[0].pid if found else None


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
