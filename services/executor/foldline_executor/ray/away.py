"""One process of an attempt on its node, from this end: what is said to the outpost there and heard of it."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from foldline.runtime import remote
from foldline.runtime.jobs import Job, Outcome
from foldline.runtime.port import OnLines, OnStarted
from foldline_executor.ray.cluster import Cluster
from foldline_executor.ray.rooms import Room

_AGAIN_SECONDS = 0.02


class RankAway:
    """The only one of its attempt, or one of its ranks."""

    def __init__(self, job: Job, rank: int, room: Room, cluster: Cluster) -> None:
        self.job = job
        self.failed_at = 0.0
        self.others_heard = 0.0
        """When any of the ranks was last heard."""
        self._rank = rank
        self._room = room
        self._cluster = cluster
        self._node = room.nodes[rank]
        self._wish: tuple[float | None, bool] = (None, False)
        self._wished = asyncio.Event()

    def stop(self, grace_seconds: float | None, *, forced: bool = False) -> None:
        self._wish = (grace_seconds, forced)
        self._wished.set()

    async def run(self, on_lines: OnLines, on_started: OnStarted | None) -> Outcome:
        outpost = self._cluster.outpost(self._node)
        job = await self._with_processors()
        relaying = asyncio.create_task(self._relay(outpost))
        try:
            outcome = await remote.hear(self._messages(outpost, job), job, on_lines, on_started)
        except BaseException:
            # Cancelled, or the listener failed: nothing of it may be left when this is raised.
            await self._kill(outpost)
            raise
        finally:
            relaying.cancel()
        if outcome.failure is not None:
            self.failed_at = time.monotonic()
        return outcome

    async def _messages(self, outpost: Any, job: Job) -> AsyncIterator[remote.Message]:
        try:
            messages = await outpost.begin.remote(job)
            while True:
                for message in messages:
                    yield message
                messages = await outpost.messages.remote(job.key)
        except self._cluster.errors:
            self._cluster.forget(self._node, outpost)

    async def _relay(self, outpost: Any) -> None:
        """Say each wish until it was heard: before the job has begun there is nobody who could."""
        while True:
            await self._wished.wait()
            self._wished.clear()
            while not self._wished.is_set():
                with suppress(*self._cluster.errors):
                    if await outpost.stop.remote(self.job.key, *self._wish):
                        break
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _kill(self, outpost: Any) -> None:
        async def kill() -> None:
            with suppress(*self._cluster.errors):
                await outpost.kill.remote(self.job.key)

        task = asyncio.ensure_future(kill())
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task})
            raise

    async def _with_processors(self) -> Job:
        if not self.job.gpus:
            return self.job
        found = await self._cluster.processors(self._room, self._rank, self.job.gpus)
        visible = {"CUDA_VISIBLE_DEVICES": ",".join(found)}
        return dataclasses.replace(self.job, variables={**self.job.variables, **visible})
