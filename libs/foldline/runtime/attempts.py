"""One attempt from the launcher's side: its folder, its process, its limits, how it ended."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import time
from pathlib import Path
from typing import Any

from foldline.runtime import verdicts
from foldline.runtime.guards import Guard
from foldline.runtime.jobs import Job, Outcome, Product, StepFailure
from foldline.runtime.port import OnLines, OnStarted
from foldline.runtime.processes import Ended, StepProcess
from foldline.runtime.warm import WarmParent
from foldline.runtime.watch import disk_exceeded

_LAST_LINES_SECONDS = 5.0
"""How long a pipe may stay open after its step and all that is known to come from it are dead."""

_LAST_STEPS_SECONDS = 2.0
"""How long a process may take to its end after it has said its last word."""

_MOST_PROCESSES = 5
"""That may be killed one after the other before they have heard of the attempt."""


class Attempt:
    """Lives for one `Launcher.run`."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.since = time.monotonic()
        self._verdict: StepFailure | None = None
        self.grace = job.grace_seconds
        self._is_forced = False
        self._waiter: asyncio.Future[None] | None = None
        self._guard: Guard | None = None
        self.others_heard = self.since
        """When another rank of it last said something: they are silent together."""
        self.failed_at = 0.0
        """By the machine's clock; 0 while it has not failed by itself."""

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.since

    def stop(self, grace_seconds: float | None, *, forced: bool = False) -> None:
        if grace_seconds is not None:
            self.grace = grace_seconds
        self.condemn(verdicts.STOPPED, forced=forced)

    def lay_out(self) -> None:
        """Make the folder that the step's process works in. A shared attempt's process makes it itself."""
        if not self.job.is_shared:
            try:
                os.mkdir(self.job.folder)  # noqa: PTH102 - quicker
            except (FileExistsError, FileNotFoundError):
                self.job.folder.mkdir(parents=True, exist_ok=True)  # a container's is a mount

    async def wait_until(
        self, ready: asyncio.Future[StepFailure | None], patience: float
    ) -> StepFailure | None:
        """Wait for the parent: None when it can take this attempt, else why the attempt has failed."""
        if not ready.done():
            limit = self.job.run_seconds + patience if self.job.run_seconds else None
            self._waiter = asyncio.get_running_loop().create_future()
            if not self.is_condemned:
                either: set[asyncio.Future[Any]] = {ready, self._waiter}
                await asyncio.wait(either, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if self._verdict is not None:
            return self._verdict
        if ready.done():
            return ready.result()
        return verdicts.timed_out(self.job, "its module was still being imported")

    async def run(
        self, parent: WarmParent, on_lines: OnLines, on_started: OnStarted | None, cores: list[int]
    ) -> Outcome:
        """In a process of `parent`; in another one where that was killed before the attempt had begun."""
        self.since = time.monotonic()
        order = self._order(cores, parent.turns)
        for _ in range(_MOST_PROCESSES):
            process = await parent.take(shared=self.job.is_shared)
            if isinstance(process, Ended):
                return Outcome(failure=verdicts.lost(process.error), seconds=self.seconds)
            outcome = await self._run_in(process, order, parent, on_lines, on_started)
            if outcome is not None:
                return outcome
            on_started = None
        failure = verdicts.lost("its processes were killed before they had begun")
        return Outcome(failure=failure, seconds=self.seconds)

    def _order(self, cores: list[int], turns: Path) -> dict[str, Any]:
        job = self.job
        return {
            "is_shared": job.is_shared,
            "folder": str(job.folder),
            "turns": str(turns),
            "function": job.function,
            "program": None if job.program is None else dataclasses.asdict(job.program),
            "bundle": str(job.bundle),
            "variables": job.variables,
            "inputs": {name: given.fields() for name, given in job.inputs.items()},
            "outputs": job.outputs,
            "allow_pickle": job.allow_pickle,
            "pickle_forbidden": job.pickle_forbidden,
            "facts": job.facts.fields(),
            "checkpoint": None if job.checkpoint is None else job.checkpoint.fields(),
            "limits": {
                "cpu": job.limits.cpu,
                "cores": cores,
                "open_files": job.limits.open_files,
                "disk_bytes": job.limits.disk_bytes,
            },
        }

    async def _run_in(
        self,
        process: StepProcess,
        order: dict[str, Any],
        parent: WarmParent,
        on_lines: OnLines,
        on_started: OnStarted | None,
    ) -> Outcome | None:
        """None where the process never heard of the attempt. Leaving before its end kills it."""
        ears = process.ears
        goes_on = False
        guard = self._guard = Guard(self, parent, process)
        if self.is_condemned:
            guard.wake(forced=self._is_forced)
        try:
            if not process.begin(order, on_lines):
                await _until_ended(process)
                return None
            if on_started is not None:
                on_started()
            if self.job.is_shared:
                await process.until_answered()
                if process.goes_on:
                    await ears.finish()
                    goes_on = not self.is_condemned
            if not goes_on:
                await _until_ended(process)
            if process.is_untouched and self._verdict is None:
                return None
            return await self._judge(process, parent)
        finally:
            self._guard = None
            await guard.leave()
            await ears.rest()
            if goes_on and not self.is_condemned:
                parent.give_back(process)
            else:
                await self._see_off(process, parent)

    async def _see_off(self, process: StepProcess, parent: WarmParent) -> None:
        if not process.has_ended and process.has_said_all and not self.is_condemned:
            parent.see_off(process, _LAST_STEPS_SECONDS)
            return
        if not process.has_ended:
            await parent.signal(process, signal.SIGKILL)
            await asyncio.wait({process.ended}, timeout=_LAST_LINES_SECONDS)
        process.close()

    @property
    def is_condemned(self) -> bool:
        return self._verdict is not None

    def condemn(self, verdict: StepFailure, *, forced: bool = False) -> None:
        """The first reason counts; `forced` ends it at once, also while an earlier grace is running."""
        self._verdict = self._verdict or verdict
        if self._verdict.kind != "stopped":
            self.failed_at = self.failed_at or time.monotonic()
        self._is_forced = self._is_forced or forced
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self._guard is not None:
            self._guard.wake(forced=self._is_forced)

    async def _judge(self, process: StepProcess, parent: WarmParent) -> Outcome:
        result = process.result()
        ended = process.ended.result() if process.has_ended else Ended()
        reads = tuple(result.get("reads", process.reads))
        failure = self._failure(ended, result, parent)
        products: dict[str, Product] = {}
        if failure is None:
            products = {name: Product.of(fields) for name, fields in result["outputs"].items()}
            if self.job.limits.disk_bytes:
                failure = await disk_exceeded(
                    self.job.folder,
                    self.job.limits.disk_bytes,
                    products.values(),
                    already=result.get("disk_bytes", 0),
                )
        if failure is not None:
            products = {}
            if failure.kind != "stopped":
                self.failed_at = self.failed_at or result.get("failed_at") or time.monotonic()
        return Outcome(
            outputs=products,
            failure=failure,
            reads=reads,
            seconds=self.seconds,
            max_rss_bytes=result.get("max_rss_bytes", ended.max_rss_bytes),
            left=tuple(result.get("left", ())),
        )

    def _failure(self, ended: Ended, result: dict[str, Any], parent: WarmParent) -> StepFailure | None:
        if ended.error:
            return verdicts.lost(ended.error)
        if self._verdict is not None:
            return self._verdict
        if "outputs" in result:
            return None
        if "failure" in result:
            failure = StepFailure(**result["failure"])
            if verdicts.is_kill(failure) and parent.has_memory_run_out():
                return verdicts.out_of_memory(self.job.limits.memory_bytes)
            return failure
        if ended.status == -signal.SIGXFSZ and self.job.limits.disk_bytes:
            return verdicts.file_too_big(self.job.limits.disk_bytes)
        if ended.status == -signal.SIGKILL and parent.has_memory_run_out():
            return verdicts.out_of_memory(self.job.limits.memory_bytes)
        return verdicts.ended_by_itself(ended.status)


async def _until_ended(process: StepProcess) -> None:
    await process.until_ended()
    await process.ears.end(_LAST_LINES_SECONDS)
