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
        self._order = asyncio.Lock()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._since

    def stop(self, grace_seconds: float | None) -> None:
        if grace_seconds is not None:
            self._grace = grace_seconds
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
            "facts": dataclasses.asdict(self.job.facts),
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

        self._since = time.monotonic()
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
                guard = tasks.create_task(self._guard(parent, child))
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

    async def _guard(self, parent: WarmParent, child: Child) -> None:
        """Wait for a reason to end the process early; then ask, then insist."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.job.run_seconds or None):
                await self._stopping.wait()
        if not self._stopping.is_set():
            self._condemn(_timed_out(self.job, "it was still running"))
        await parent.signal(child, signal.SIGTERM)
        await asyncio.sleep(self._grace)
        await parent.signal(child, signal.SIGKILL)

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
