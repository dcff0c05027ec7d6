"""One attempt from the launcher's side: its folder, its pipes, its limits, how it ended."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from foldline.runtime import sheets
from foldline.runtime.jobs import Job, Line, Outcome, Product, StepFailure
from foldline.runtime.pipes import Pipe
from foldline.runtime.warm import Child, Ended, WarmParent

STREAMS = ("stdout", "stderr", "note")

_LAST_LINES_SECONDS = 5.0
"""How long a pipe may stay open after its step and all that is known to come from it are dead."""


class Attempt:
    """Lives for one `Launcher.run`."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._since = time.monotonic()
        self._verdict: StepFailure | None = None
        self._grace = job.grace_seconds
        self._stopping = asyncio.Event()
        self._forced = asyncio.Event()
        self._order = asyncio.Lock()
        self._heard = self._since

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._since

    def stop(self, grace_seconds: float | None, *, forced: bool = False) -> None:
        if grace_seconds is not None:
            self._grace = grace_seconds
        if forced:
            self._forced.set()
        self._condemn(StepFailure(kind="stopped", reason="STEP_STOPPED", message="the step was stopped"))

    def lay_out(self) -> None:
        """Make the folder that the step's process works in."""
        self.job.folder.mkdir(parents=True)

    def _order_sheet(self) -> dict[str, Any]:
        inputs = {name: given.fields() for name, given in self.job.inputs.items()}
        return {
            "function": self.job.function,
            "inputs": inputs,
            "outputs": self.job.outputs,
            "allow_pickle": self.job.allow_pickle,
            "pickle_forbidden": self.job.pickle_forbidden,
            "facts": dataclasses.asdict(self.job.facts),
            "checkpoint": None if self.job.checkpoint is None else self.job.checkpoint.fields(),
        }

    async def wait_until(
        self, ready: asyncio.Future[StepFailure | None], patience: float
    ) -> StepFailure | None:
        """Wait for the parent: None when it can take this attempt, else why the attempt has failed."""
        if not ready.done():
            limit = self.job.run_seconds + patience if self.job.run_seconds else None
            stopped = asyncio.ensure_future(self._stopping.wait())
            either: set[asyncio.Future[Any]] = {ready, stopped}
            try:
                await asyncio.wait(either, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopped.cancel()
        if self._verdict is not None:
            return self._verdict
        return ready.result() if ready.done() else _timed_out(self.job, "its module was still being imported")

    async def run(
        self,
        parent: WarmParent,
        on_lines: Callable[[Sequence[Line]], Awaitable[None]],
        on_started: Callable[[], None] | None,
    ) -> Outcome:
        async def sink(lines: Sequence[Line]) -> None:
            async with self._order:
                await on_lines(lines)
            self._heard = time.monotonic()

        self._since = self._heard = time.monotonic()
        pipes = [Pipe(stream) for stream in STREAMS]
        order, result = sheets.new(self._order_sheet()), sheets.new()
        try:
            try:
                child = await parent.start(self.job.folder, [*(pipe.mouth for pipe in pipes), order, result])
            finally:
                os.close(order)
                for pipe in pipes:
                    pipe.close_mouth()
            ended = await self._accompany(parent, child, pipes, sink, on_started)
            outcome = self._judge(ended, sheets.read(result))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            os.close(result)
            for pipe in pipes:
                pipe.close()
        return dataclasses.replace(outcome, seconds=self.seconds, max_rss_bytes=ended.max_rss_bytes)

    async def _accompany(
        self,
        parent: WarmParent,
        child: Child,
        pipes: Sequence[Pipe],
        sink: Callable[[Sequence[Line]], Awaitable[None]],
        on_started: Callable[[], None] | None,
    ) -> Ended:
        """Stay with the process until it and its pipes have ended; leaving in any other way kills it."""
        try:
            async with asyncio.TaskGroup() as tasks:
                readers = [tasks.create_task(pipe.read(sink)) for pipe in pipes]
                guard = tasks.create_task(self._guard(parent, child, pipes))
                await asyncio.shield(child.started)
                if on_started is not None and child.started.result():
                    on_started()
                ended = await asyncio.shield(child.ended)
                guard.cancel()
                _, late = await asyncio.wait(readers, timeout=_LAST_LINES_SECONDS)
                for task in late:
                    task.cancel()
        finally:
            if not child.ended.done():
                await parent.signal(child, signal.SIGKILL)
                await asyncio.wait({child.ended}, timeout=_LAST_LINES_SECONDS)
        return ended

    async def _guard(self, parent: WarmParent, child: Child, pipes: Sequence[Pipe]) -> None:
        """Wait for a reason to end the process early; then ask, then insist."""
        while not self._stopping.is_set():
            verdict, patience = self._limit(pipes)
            if verdict is not None and patience <= 0:
                self._condemn(verdict)
                break
            with suppress(TimeoutError):
                async with asyncio.timeout(None if verdict is None else patience):
                    await self._stopping.wait()
        if not self._forced.is_set():
            await parent.signal(child, signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._grace):
                    await self._forced.wait()
        await parent.signal(child, signal.SIGKILL)

    def _limit(self, pipes: Sequence[Pipe]) -> tuple[StepFailure | None, float]:
        """Which limit is reached next, and in how many seconds; None when there is none."""
        now = time.monotonic()
        limits: list[tuple[float, StepFailure]] = []
        if self.job.run_seconds:
            failure = _timed_out(self.job, "it was still running")
            limits.append((self._since + self.job.run_seconds - now, failure))
        if self.job.silence_seconds:
            # While its lines wait for us the step cannot be heard.
            heard = now if self._order.locked() else max(self._heard, *(pipe.heard for pipe in pipes))
            limits.append((heard + self.job.silence_seconds - now, _silent(self.job)))
        seconds, verdict = min(limits, key=lambda limit: limit[0], default=(0.0, None))
        return verdict, seconds

    def _condemn(self, verdict: StepFailure) -> None:
        self._verdict = self._verdict or verdict
        self._stopping.set()

    def _judge(self, ended: Ended, result: dict[str, Any]) -> Outcome:
        if ended.error:
            return Outcome(
                failure=StepFailure(kind="infrastructure", reason="STEP_PROCESS_LOST", message=ended.error)
            )
        reads = tuple(result.get("reads", ()))
        if self._verdict is not None:
            return Outcome(failure=self._verdict, reads=reads)
        if "outputs" in result:
            products = {name: _product(fields) for name, fields in result["outputs"].items()}
            return Outcome(outputs=products, reads=reads)
        failure = StepFailure(**result["failure"]) if "failure" in result else _ended_by_itself(ended.status)
        return Outcome(failure=failure, reads=reads)


def _product(fields: dict[str, Any]) -> Product:
    return Product(**{**fields, "file": Path(fields["file"]) if fields["file"] else None})


def _timed_out(job: Job, state: str) -> StepFailure:
    message = f"{state} after {job.run_seconds:g} s, the step's time limit"
    return StepFailure(kind="timeout", reason="STEP_TIMED_OUT", message=message)


def _silent(job: Job) -> StepFailure:
    message = f"it was silent for {job.silence_seconds:g} s: no output, progress, metric or checkpoint"
    return StepFailure(kind="timeout", reason="STEP_SILENT", message=message)


def _ended_by_itself(status: int) -> StepFailure:
    if status < 0:
        name = _signal_name(-status)
        hint = "; the kernel does this when memory runs out" if -status == signal.SIGKILL else ""
        message = f"the step's process was killed by {name}{hint}"
        return StepFailure(kind="user", reason="STEP_KILLED", message=message, signal=-status)
    message = f"the step's process exited with code {status} before its function returned"
    if status > 128:
        message += f" (128 + {status - 128}: {_signal_name(status - 128)} in a shell's way of counting)"
    return StepFailure(kind="user", reason="STEP_EXITED", message=message, exit_code=status)


def _signal_name(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"
