"""Programs in images of their own: nothing of ours is inside, so all is done from here."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from foldline.runtime import endings, verdicts
from foldline.runtime.jobs import Line, Outcome, Product, StepFailure
from foldline.runtime.pipes import Splitter
from foldline.runtime.port import OnLines, OnStarted
from foldline_executor.container.attempts import ContainerAttempt, Refused
from foldline_executor.container.engine import Stream
from foldline_executor.container.frames import STDERR, STDOUT, Frames
from foldline_executor.container.recipe import config_of_program

_STREAMS = {STDOUT: "stdout", STDERR: "stderr"}
_LAST_LINES_SECONDS = 5.0


class InTheirs(ContainerAttempt):
    _heard = 0.0
    _reads: tuple[str, ...] = ()
    _is_listener_busy = False

    def image(self) -> str:
        assert self.job.program is not None
        return self.job.program.image

    async def config(self) -> dict[str, Any]:
        job, program = self.job, self.job.program
        assert program is not None
        if job.ranks > 1:
            message = "a program in a container image runs as one process, not as several ranks"
            raise Refused(StepFailure(kind="invalid", reason="STEP_NOT_SUPPORTED", message=message))
        staged = await _staged(
            "prepare",
            job.folder,
            program=dataclasses.asdict(program),
            inputs={name: given.fields() for name, given in job.inputs.items()},
            variables=job.variables,
            bundle=str(job.bundle),
        )
        self._reads = tuple(staged["reads"])
        return config_of_program(job, self.terms, staged["command"], staged["variables"])

    async def accompany(
        self, container: str, stream: Stream, on_lines: OnLines, on_started: OnStarted | None
    ) -> Outcome:
        if on_started is not None:
            on_started()
        self._heard = time.monotonic()
        stream.end()
        guard = asyncio.create_task(self._guard(container))
        reading = asyncio.create_task(self._read(stream, on_lines))
        ending = asyncio.create_task(self.engine.wait(container))
        try:
            # An error of the listener ends the attempt; the end of the container is the end of its output.
            await asyncio.wait({reading, ending}, return_when=asyncio.FIRST_EXCEPTION)
            if reading.done():
                reading.result()
            code = ending.result()
        finally:
            for task in (guard, reading, ending):
                task.cancel()
        return await self._outcome(code, on_lines)

    async def _read(self, stream: Stream, on_lines: OnLines) -> None:
        frames, splitters = Frames(), {number: Splitter() for number in _STREAMS}
        while data := await stream.read():
            self._heard = time.monotonic()
            for number, part in frames.feed(data):
                await self._hand_over(number, splitters[number].feed(part), on_lines)
        for number, splitter in splitters.items():
            await self._hand_over(number, splitter.end(), on_lines)

    async def _hand_over(self, number: int, texts: Sequence[str], on_lines: OnLines) -> None:
        if texts:
            self._is_listener_busy = True
            await on_lines([Line(_STREAMS[number], text) for text in texts])
            self._is_listener_busy = False
            self._heard = time.monotonic()

    async def _guard(self, container: str) -> None:
        """Wait for a reason to end it early; then ask, then insist."""
        while not self.stopping.is_set():
            verdict, patience = self._next_limit()
            if verdict is not None and patience <= 0:
                self.condemn(verdict)
                break
            with suppress(TimeoutError):
                async with asyncio.timeout(None if verdict is None else patience):
                    await self.stopping.wait()
        await endings.ask_then_insist(partial(self._send, container), self.grace, self.forced)

    async def _send(self, container: str, number: signal.Signals) -> None:
        await self.engine.kill(container, number.name)

    def _next_limit(self) -> tuple[StepFailure | None, float]:
        now = time.monotonic()
        heard = now if self._is_listener_busy else self._heard
        return endings.next_limit(self.job, now, since=self.since, heard=heard)

    async def _outcome(self, code: int, on_lines: OnLines) -> Outcome:
        """Its outputs, its metrics, and why it failed."""
        job, program = self.job, self.job.program
        assert program is not None
        failure = verdicts.program_ended(code) if code else None
        outputs: dict[str, Product] = {}
        try:
            staged = await _staged(
                "gather",
                job.folder,
                outputs=None if code else job.outputs,
                metrics_file=program.metrics_file,
            )
            outputs = {name: Product.of(fields) for name, fields in staged.get("outputs", {}).items()}
            notes = [json.dumps({"metric": name, "value": one}) for name, one in staged["metrics"].items()]
            if notes:
                await on_lines([Line("note", note) for note in notes])
        except Refused as refused:
            failure = failure or refused.failure
        if failure is not None:
            await on_lines([Line("system", failure.message)])
        return Outcome(outputs=outputs, failure=failure, reads=self._reads)


async def _staged(op: str, folder: Path, **order: Any) -> dict[str, Any]:
    """What `runtime.staging` says, in a process of its own: this one decodes nothing. Raises Refused."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "foldline.runtime.staging"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"LANG": "C.UTF-8"},
    )
    try:
        said, _ = await process.communicate(json.dumps({"op": op, "folder": str(folder), **order}).encode())
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise Refused(verdicts.lost(f"inputs or outputs of the program could not be {op}d"))
    answer: dict[str, Any] = json.loads(said)
    if "failure" in answer:
        raise Refused(StepFailure(**answer["failure"]))
    return answer
