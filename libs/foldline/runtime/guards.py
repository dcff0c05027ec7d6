"""Ends an attempt's process early where there is a reason for it: asks, then insists.

Most attempts end before there is anything to guard: until then it is one timer of the loop, and no task.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial
from typing import Protocol

from foldline.runtime import endings
from foldline.runtime.jobs import Job, StepFailure
from foldline.runtime.processes import StepProcess
from foldline.runtime.warm import WarmParent
from foldline.runtime.watch import Watch, pause_of


class Guarded(Protocol):
    """The attempt, as far as its guard has to know it."""

    job: Job
    since: float
    """When it began to run."""
    others_heard: float
    grace: float

    def condemn(self, verdict: StepFailure, *, forced: bool = False) -> None:
        """Say why it has to end."""


class Guard:
    """Of one attempt in one process. `wake` it when the attempt is condemned."""

    def __init__(self, attempt: Guarded, parent: WarmParent, process: StepProcess) -> None:
        self._attempt = attempt
        self._parent = parent
        self._process = process
        self._condemned = asyncio.Event()
        self._forced = asyncio.Event()
        self._pause = pause_of(attempt.job.limits)
        self._due = time.monotonic() + self._pause
        verdict, patience = self._limit()
        first = self._pause if verdict is None else min(self._pause, max(0.0, patience))
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(first, self._begin)

    def wake(self, *, forced: bool) -> None:
        """The attempt is condemned: to end at once where it is forced, else within its grace."""
        self._condemned.set()
        if forced:
            self._forced.set()
        self._begin()

    async def leave(self) -> None:
        """There is nothing to guard any more."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _begin(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._guard(), name="guard")

    async def _guard(self) -> None:
        job = self._attempt.job
        folder = f"{self._parent.turns}/{self._process.pid}" if job.is_shared else str(job.folder)
        await self._until_condemned(Watch(self._process.pid, folder, job.limits))
        signal = partial(self._parent.signal, self._process)
        await endings.ask_then_insist(signal, self._attempt.grace, self._forced)

    async def _until_condemned(self, watch: Watch) -> None:
        while not self._condemned.is_set():
            verdict, patience = self._limit()
            if verdict is not None and patience <= 0:
                self._attempt.condemn(verdict)
                return
            left = self._due - time.monotonic()
            if left <= 0:
                self._due = time.monotonic() + self._pause
                if (broken := await watch.look()) is not None:
                    self._attempt.condemn(broken, forced=True)
                    return
                self._parent.note_memory_again()
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(left if verdict is None else min(left, patience)):
                    await self._condemned.wait()

    def _limit(self) -> tuple[StepFailure | None, float]:
        """Which limit of time is reached next, and in how many seconds; None when there is none."""
        attempt, job = self._attempt, self._attempt.job
        if not (job.run_seconds or job.silence_seconds):
            return None, 0.0
        heard = max(self._process.ears.heard, attempt.others_heard)
        return endings.next_limit(job, time.monotonic(), since=attempt.since, heard=heard)
