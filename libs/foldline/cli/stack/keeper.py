"""Keeps one program running: starts it, collects its output, restarts it when it ends, stops it when told.

Restarts wait 0.2 s, then twice as long each time up to 10 s; a program that lived for 30 s starts afresh.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from foldline.chassis.clock import SystemClock
from foldline.cli.stack.leash import leash
from foldline.cli.stack.logfile import LogFile

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
STEADY_SECONDS = 30.0

Phase = Literal["starting", "running", "restarting", "stopped"]


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What to run and how to end it."""

    name: str
    argv: tuple[str, ...]
    module: str = ""  # the Python module that this runs, where it is one
    env: Mapping[str, str]
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL  # what it gets when the supervisor dies
    grace_seconds: float = 10.0
    longest_pause_seconds: float = LONGEST_PAUSE_SECONDS


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """How a kept program fares, as `foldline status` shows it."""

    name: str
    phase: Phase
    pid: int | None
    restarts: int
    since: datetime | None  # when the present process started
    last_exit: str  # how the one before it ended; empty for none
    log: str


class Process(Protocol):
    """A child of ours."""

    @property
    def pid(self) -> int: ...

    async def wait(self) -> int: ...


Begin = Callable[[Program, int], Awaitable[Process | None]]
"""Another way to start a program than to execute it; None where it cannot."""


class Keeper:
    """One program. `run` is a task of the supervisor's; `stop` ends it."""

    def __init__(
        self, program: Program, log: LogFile, changed: Callable[[Condition], None], begin: Begin | None = None
    ) -> None:
        self.program = program
        self.log = log
        self._changed = changed
        self._begin = begin
        self._stop = asyncio.Event()
        self._done = asyncio.Event()
        self._condition = Condition(
            name=program.name,
            phase="starting",
            pid=None,
            restarts=0,
            since=None,
            last_exit="",
            log=str(log.path),
        )

    @property
    def condition(self) -> Condition:
        return self._condition

    async def run(self) -> None:
        """Keep the program running until `stop`."""
        # One pipe for all incarnations: a descendant that outlives its parent can still write, and reading
        # never meets an end that would have to be waited for.
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        loop = asyncio.get_running_loop()
        loop.add_reader(reading, self._collect, reading)
        try:
            await self._keep(writing)
        finally:
            loop.remove_reader(reading)
            self._collect(reading)
            os.close(reading)
            os.close(writing)
            self.log.close()
            self._done.set()

    async def stop(self) -> None:
        """Tell the program to end, and kill it and its group when it does not; return when it is gone."""
        self._stop.set()
        await self._done.wait()

    async def _keep(self, output: int) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            born = time.monotonic()
            ended = await self._run_once(output)
            if self._stop.is_set():
                break
            if time.monotonic() - born >= STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            restarts = self._condition.restarts + 1
            self._show(phase="restarting", pid=None, since=None, last_exit=ended, restarts=restarts)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)
            if self._stop.is_set():
                break
            pause = min(pause * 2, self.program.longest_pause_seconds)
        self._show(phase="stopped", pid=None, since=None, last_exit=ended)

    async def _run_once(self, output: int) -> str:
        """Start the program and return how it ended: by itself, or because `stop` was called."""
        try:
            process = await self._started(output)
        except (OSError, subprocess.SubprocessError) as error:
            self.log.write(f"foldline: {self.program.name} cannot be started: {error}\n".encode())
            return str(error)
        self._show(phase="running", pid=process.pid, since=SystemClock().now())
        return await self._until_gone(process)

    async def _started(self, output: int) -> Process:
        begin, self._begin = self._begin, None  # for the first process alone
        if begin and (process := await begin(self.program, output)):
            return process
        return await asyncio.create_subprocess_exec(
            *self.program.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(self.program.env),
            cwd="/",  # no folder of ours is kept busy, no project's settings are picked up
            start_new_session=True,  # the terminal's Ctrl-C is for the supervisor alone
            preexec_fn=leash(self.program.orphan_signal),
        )

    async def _until_gone(self, process: Process) -> str:
        told = asyncio.ensure_future(self._stop.wait())
        ended = asyncio.ensure_future(process.wait())
        await asyncio.wait({told, ended}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not ended.done():
            _send(process.pid, self.program.stop_signal)
            await asyncio.wait({ended}, timeout=self.program.grace_seconds)
        # Nothing of a program outlives its main process: not its workers, not a postmaster's back-ends.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        return describe_exit(await ended)

    def _collect(self, reading: int) -> None:
        with suppress(BlockingIOError):
            self.log.write(os.read(reading, 256 * 1024))

    def _show(self, **changes: object) -> None:
        self._condition = msgspec.structs.replace(self._condition, **changes)
        self._changed(self._condition)


def describe_exit(code: int) -> str:
    """What people read about an exit code."""
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return f"killed by {signal.Signals(-code).name}"
    return f"killed by signal {-code}"


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
