"""Containers as a backend: who runs now, and what is removed when."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import structlog

from foldline.domain.errors import FoldlineError, Kind
from foldline.runtime.jobs import Job, Outcome
from foldline.runtime.port import OnLines, OnStarted
from foldline_executor.container.attempts import ContainerAttempt
from foldline_executor.container.engine import Engine, EngineError
from foldline_executor.container.functions import InOurs
from foldline_executor.container.programs import InTheirs
from foldline_executor.container.recipe import OWNER, Terms
from foldline_executor.roster import Roster

log = structlog.get_logger()


class Containers:
    """Functions run in the operator's image, with the release's environment mounted; programs in their own,
    or in that one. Whatever an earlier owner of the same name left behind is removed at the beginning.
    """

    def __init__(self, socket: Path, terms: Terms, *, environ: Mapping[str, str]) -> None:
        self._engine = Engine(socket)
        self._terms = terms
        self._environ = dict(environ)
        self._roster = Roster()

    async def __aenter__(self) -> Containers:
        await self._engine.__aenter__()
        try:
            await self._engine.check()
            await self._sweep()
        except EngineError as error:
            await self._engine.__aexit__(None, None, None)
            raise FoldlineError(Kind.UNAVAILABLE, "ENGINE_UNAVAILABLE", str(error)) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._roster.close()
        await self._engine.__aexit__(None, None, None)

    async def run(self, job: Job, on_lines: OnLines, on_started: OnStarted | None = None) -> Outcome:
        return await self._roster.run(self._attempt(job), on_lines, on_started)

    def stop(self, key: str, grace_seconds: float | None = None, *, forced: bool = False) -> bool:
        return self._roster.stop(key, grace_seconds, forced=forced)

    def _attempt(self, job: Job) -> ContainerAttempt:
        if job.program is not None and job.program.image:
            return InTheirs(job, self._engine, self._terms)
        return InOurs(job, self._engine, self._terms, self._environ)

    async def _sweep(self) -> None:
        for container in await self._engine.labelled(f"{OWNER}={self._terms.owner}"):
            log.warning("container_left_behind", container=container[:12])
            await self._engine.remove(container)
