"""Jobs in the operator's image: our own launcher carries them out inside, and tells us of them.

That one does what it does everywhere: isolation, ranks, time-outs, the log. When this process ends, its
standard input does, and so it ends, with all that it carries.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from foldline.runtime import remote, verdicts
from foldline.runtime.jobs import Job, Outcome, StepFailure
from foldline.runtime.port import OnLines, OnStarted
from foldline_executor.container.attempts import ContainerAttempt, Refused
from foldline_executor.container.engine import Engine, Stream
from foldline_executor.container.frames import STDOUT, Frames
from foldline_executor.container.recipe import Terms, config_of

_SCRATCH = "/tmp/foldline"  # noqa: S108 - in the container
_LAST_WORDS = 20
_INSIST_SECONDS = 10.0
"""After the grace, for the launcher inside to have done what it was told."""


class InOurs(ContainerAttempt):
    def __init__(self, job: Job, engine: Engine, terms: Terms, environ: Mapping[str, str]) -> None:
        super().__init__(job, engine, terms)
        # Nobody else is in there with whom it could share anything.
        self.job = dataclasses.replace(job, is_shared=False)
        self._environ = environ
        self._last_words: deque[str] = deque(maxlen=_LAST_WORDS)

    def image(self) -> str:
        if not self.terms.image:
            message = (
                "this executor has no image for steps without one of their own; set "
                "FOLDLINE_CONTAINER_IMAGE, or name the backend process first"
            )
            raise Refused(StepFailure(kind="infrastructure", reason="IMAGE_MISSING", message=message))
        return self.terms.image

    async def config(self) -> dict[str, Any]:
        return config_of(self.job, self.terms, _SCRATCH)

    async def accompany(
        self, container: str, stream: Stream, on_lines: OnLines, on_started: OnStarted | None
    ) -> Outcome:
        environ = {**self._environ, "HOME": str(self.job.folder)}
        await stream.write(remote.order_of(self.job, environ))
        relaying = asyncio.create_task(self._relay_stop(container, stream))
        try:
            outcome = await remote.hear(self._messages(stream), self.job, on_lines, on_started)
        finally:
            relaying.cancel()
        if outcome.failure is remote.LOST:
            return Outcome(failure=await self._what_went_wrong(container))
        return outcome

    async def _messages(self, stream: Stream) -> AsyncIterator[remote.Message]:
        frames = Frames()
        pieces: list[bytes] = []
        while data := await stream.read():
            for number, part in frames.feed(data):
                if number != STDOUT:
                    self._last_words.extend(part.decode(errors="replace").splitlines())
                    continue
                *whole, rest = part.split(b"\n")
                for end in whole:
                    line = b"".join([*pieces, end])
                    pieces.clear()
                    with suppress(ValueError):
                        yield json.loads(line)
                pieces.append(rest)

    async def _relay_stop(self, container: str, stream: Stream) -> None:
        await self.stopping.wait()
        await self._say_stop(stream)
        if not self.forced.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self.grace + _INSIST_SECONDS):
                    await self.forced.wait()
            await self._say_stop(stream)
        await asyncio.sleep(_INSIST_SECONDS)
        await self.engine.kill(container, "SIGKILL")

    async def _say_stop(self, stream: Stream) -> None:
        stop = {"grace_seconds": self.grace, "forced": self.forced.is_set()}
        await stream.write(json.dumps({"stop": stop}).encode() + b"\n")

    async def _what_went_wrong(self, container: str) -> StepFailure:
        """The launcher inside has ended without a word on how the attempt did."""
        code = await self.engine.wait(container)
        words = "\n".join(self._last_words)
        if code in (126, 127):
            message = f"{self.job.python} does not start in image {self.terms.image}: {words}"
            return StepFailure(kind="infrastructure", reason="ENVIRONMENT_FAILED", message=message)
        return verdicts.lost(f"the container ended with code {code}: {words or 'without a word'}")
