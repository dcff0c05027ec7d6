"""Ray as a backend: room is reserved, a launcher on the node does the rest, and this end of it listens.

Ray decides where an attempt runs, and nothing else: it starts no step and repeats none. A step is a process
that the node's launcher forks, so it costs milliseconds, and it dies with that.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from foldline.runtime.jobs import Job, Outcome
from foldline.runtime.port import OnLines, OnStarted
from foldline_executor.ray.attempts import RayAttempt
from foldline_executor.ray.cluster import Cluster, Terms
from foldline_executor.roster import Roster


class RayCluster:
    """`folder` is on a file system that all nodes share, and so is all that jobs name."""

    def __init__(self, folder: Path, terms: Terms, *, environ: Mapping[str, str]) -> None:
        self._cluster = Cluster(folder, terms, environ)
        self._roster = Roster()

    async def __aenter__(self) -> RayCluster:
        await self._cluster.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._roster.close()
        await self._cluster.__aexit__(kind, error, traceback)

    async def run(self, job: Job, on_lines: OnLines, on_started: OnStarted | None = None) -> Outcome:
        return await self._roster.run(RayAttempt(job, self._cluster), on_lines, on_started)

    def stop(self, key: str, grace_seconds: float | None = None, *, forced: bool = False) -> bool:
        return self._roster.stop(key, grace_seconds, forced=forced)
