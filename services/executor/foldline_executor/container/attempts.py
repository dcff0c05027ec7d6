"""One attempt in a container, from the image to the removal; what runs inside is for its two kinds to say."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from typing import Any, TypeVar

import structlog

from foldline.runtime import verdicts
from foldline.runtime.jobs import Job, Line, Outcome, StepFailure
from foldline.runtime.port import OnLines, OnStarted
from foldline_executor.container.engine import Engine, EngineError, Stream
from foldline_executor.container.recipe import Terms

log = structlog.get_logger()

T = TypeVar("T")

_END_SECONDS = 20.0


class Refused(Exception):
    """There will be no container for it."""

    def __init__(self, failure: StepFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class ContainerAttempt(ABC):
    """Lives for one `Containers.run`."""

    def __init__(self, job: Job, engine: Engine, terms: Terms) -> None:
        self.job = job
        self.engine = engine
        self.terms = terms
        self.grace = job.grace_seconds
        self.stopping = asyncio.Event()
        self.forced = asyncio.Event()
        self.since = time.monotonic()
        self._verdict: StepFailure | None = None

    def stop(self, grace_seconds: float | None, *, forced: bool = False) -> None:
        if grace_seconds is not None:
            self.grace = grace_seconds
        if forced:
            self.forced.set()
        self.condemn(verdicts.STOPPED)

    def abandon(self) -> None:
        """The backend is being closed."""
        self.forced.set()
        self.condemn(verdicts.lost("the backend of containers was closed"))

    def condemn(self, verdict: StepFailure) -> None:
        self._verdict = self._verdict or verdict
        self.stopping.set()

    @abstractmethod
    def image(self) -> str: ...

    @abstractmethod
    async def config(self) -> dict[str, Any]:
        """For the engine. May raise Refused."""

    @abstractmethod
    async def accompany(
        self, container: str, stream: Stream, on_lines: OnLines, on_started: OnStarted | None
    ) -> Outcome:
        """From the start of the container until it has ended, with the verdict of the step itself."""

    async def run(self, on_lines: OnLines, on_started: OnStarted | None) -> Outcome:
        self.job.folder.mkdir(parents=True)
        try:
            outcome = await self._run(on_lines, on_started)
        except Refused as refused:
            outcome = Outcome(failure=refused.failure)
            await on_lines([Line("system", refused.failure.message)])
        return dataclasses.replace(outcome, seconds=time.monotonic() - self.since)

    async def _run(self, on_lines: OnLines, on_started: OnStarted | None) -> Outcome:
        container = ""
        try:
            await self._unless_stopped(self._provide_image())
            container = await self._create()
            stream = await self.engine.attach(container)
            try:
                await self._start(container)
                outcome = await self.accompany(container, stream, on_lines, on_started)
            finally:
                stream.close()
            return await self._judge(container, outcome)
        except EngineError as error:
            raise Refused(engine_failed(error)) from error
        except TimeoutError as error:
            raise Refused(verdicts.lost("the container does not end")) from error
        finally:
            if container:
                await _to_the_end(self._remove(container))

    async def _remove(self, container: str) -> None:
        try:
            await self.engine.remove(container)
        except EngineError as error:
            # The next owner of the same name does it.
            log.warning("container_not_removed", container=container[:12], error=str(error))

    async def _provide_image(self) -> None:
        image, pull = self.image(), self.terms.pull
        if pull != "always" and await self.engine.has_image(image):
            return
        if pull == "never":
            message = (
                f"image {image} is not on the engine of this executor, which pulls none (container_pull)"
            )
            raise Refused(StepFailure(kind="infrastructure", reason="IMAGE_MISSING", message=message))
        try:
            await self.engine.pull(image)
        except EngineError as error:
            message = f"image {image} could not be pulled: {error}"
            raise Refused(
                StepFailure(kind="infrastructure", reason="IMAGE_MISSING", message=message)
            ) from error

    async def _create(self) -> str:
        """Cancelled in the middle, the container that the engine makes all the same is removed."""
        creating = asyncio.ensure_future(self.engine.create(await self.config()))
        try:
            return await asyncio.shield(creating)
        except asyncio.CancelledError:
            await asyncio.wait({creating})
            if creating.exception() is None:
                await _to_the_end(self._remove(creating.result()))
            raise

    async def _start(self, container: str) -> None:
        if self._verdict is not None:
            raise Refused(self._verdict)
        try:
            await self.engine.start(container)
        except EngineError as error:
            raise Refused(not_started(self.image(), error)) from error

    async def _judge(self, container: str, outcome: Outcome) -> Outcome:
        """What the engine and we know counts over what could be seen from the inside."""
        if self._verdict is not None and outcome.failure is not None:
            return dataclasses.replace(outcome, failure=self._verdict, outputs={})
        failure = outcome.failure
        if failure is None or failure.reason not in ("STEP_KILLED", "STEP_PROCESS_LOST", "STEP_EXITED"):
            return outcome
        # It knows only once the container has ended, not when the step in it has.
        async with asyncio.timeout(_END_SECONDS):
            await self.engine.wait(container)
        if (await self.engine.state(container)).get("OOMKilled"):
            failure = verdicts.out_of_memory(self.job.limits.memory_bytes)
        return dataclasses.replace(outcome, failure=failure)

    async def _unless_stopped(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                assert self._verdict is not None
                raise Refused(self._verdict)
            task.result()
        finally:
            task.cancel()
            stopped.cancel()


def engine_failed(error: EngineError) -> StepFailure:
    message = f"the container engine failed: {error}"
    return StepFailure(kind="infrastructure", reason="ENGINE_FAILED", message=message)


def not_started(image: str, error: EngineError) -> StepFailure:
    message = f"a container of image {image} does not start: {error}"
    return StepFailure(kind="infrastructure", reason="ENVIRONMENT_FAILED", message=message)


async def _to_the_end(work: Awaitable[T]) -> T:
    """Not to be left half done, even when whoever waits is cancelled."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
