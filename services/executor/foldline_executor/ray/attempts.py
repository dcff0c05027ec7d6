"""One attempt on a cluster: room for it, then each of its ranks on its node."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import TypeVar

from foldline.runtime import ranks, verdicts
from foldline.runtime.jobs import Job, Line, Outcome, StepFailure
from foldline.runtime.port import OnLines, OnStarted
from foldline_executor.ray.away import RankAway
from foldline_executor.ray.cluster import Cluster
from foldline_executor.ray.rooms import NoPlace, Room

T = TypeVar("T")


class RayAttempt:
    """Lives for one `RayCluster.run`."""

    def __init__(self, job: Job, cluster: Cluster) -> None:
        self.job = job
        self._cluster = cluster
        self._stopping = asyncio.Event()
        self._verdict: StepFailure | None = None
        self._ranks: Sequence[RankAway] = ()

    def stop(self, grace_seconds: float | None, *, forced: bool = False) -> None:
        self._condemn(verdicts.STOPPED)
        for rank in self._ranks:
            rank.stop(grace_seconds, forced=forced)

    def abandon(self) -> None:
        """The backend is being closed."""
        self._condemn(verdicts.lost("the backend ray was closed"))
        for rank in self._ranks:
            rank.stop(0.0, forced=True)

    async def run(self, on_lines: OnLines, on_started: OnStarted | None) -> Outcome:
        since = time.monotonic()
        try:
            outcome = await self._run(on_lines, on_started)
        except NoPlace:
            outcome = await _failed(no_room(self.job), on_lines)
        except self._cluster.errors as error:
            outcome = await _failed(verdicts.lost(f"the Ray cluster failed: {error}"), on_lines)
        return dataclasses.replace(outcome, seconds=time.monotonic() - since)

    async def _run(self, on_lines: OnLines, on_started: OnStarted | None) -> Outcome:
        room = await self._unless_stopped(self._cluster.rooms.take(needs_of(self.job), self.job.ranks))
        if room is None:
            assert self._verdict is not None
            return await _failed(self._verdict, on_lines)
        try:
            outcome = await self._carry_out(room, on_lines, on_started)
        finally:
            self._cluster.rooms.give_back(room)
        if outcome.failure is not None and self._verdict is not None:
            return dataclasses.replace(outcome, failure=self._verdict, outputs={})
        return outcome

    async def _carry_out(self, room: Room, on_lines: OnLines, on_started: OnStarted | None) -> Outcome:
        if self.job.ranks == 1:
            self._ranks = [RankAway(self.job, 0, room, self._cluster)]
            return await self._ranks[0].run(on_lines, on_started)
        first = room.nodes[0]
        master = self._cluster.outpost(first)
        address = await self._cluster.address_of(first)
        port: int = await master.take_port.remote(self.job.key)
        try:
            jobs = _jobs_of(self.job, room.nodes, address, port)
            self._ranks = [RankAway(one, n, room, self._cluster) for n, one in enumerate(jobs)]
            together = ranks.Ranks(self.job, lambda rank, hear, tell: rank.run(hear, tell))
            listening = asyncio.create_task(self._listen())
            try:
                return await together.carry_out(self._ranks, on_lines, on_started)
            finally:
                listening.cancel()
        finally:
            with suppress(*self._cluster.errors):
                await master.free_port.remote(self.job.key)

    async def _listen(self) -> None:
        """Ranks are silent together alone, and no node hears them all."""
        patience = self.job.silence_seconds
        heard = time.monotonic()
        while patience and (left := heard + patience - time.monotonic()) > 0:
            await asyncio.sleep(left)
            heard = max(heard, *(rank.others_heard for rank in self._ranks))
        if patience:
            self._condemn(verdicts.silent(self.job))
            for rank in self._ranks:
                rank.stop(None)

    def _condemn(self, verdict: StepFailure) -> None:
        self._verdict = self._verdict or verdict
        self._stopping.set()

    async def _unless_stopped(self, work: Awaitable[T]) -> T | None:
        task = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            return None
        finally:
            stopped.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})


def needs_of(job: Job) -> dict[str, float]:
    """Of each rank, in Ray's words."""
    needs = {"CPU": job.limits.cpu or 1.0}
    if job.limits.memory_bytes:
        needs["memory"] = float(job.limits.memory_bytes)
    if job.gpus:
        needs["GPU"] = float(job.gpus)
    return needs


def no_room(job: Job) -> StepFailure:
    needs = ", ".join(f"{value:g} {name}" for name, value in needs_of(job).items())
    of_each = f" for each of {job.ranks} ranks" if job.ranks > 1 else ""
    message = f"the Ray cluster had no room for the step in time; it needs {needs}{of_each}"
    return StepFailure(kind="infrastructure", reason="NO_ROOM", message=message)


def _jobs_of(job: Job, nodes: Sequence[str], address: str, port: int) -> list[Job]:
    found = []
    for rank, node in enumerate(nodes):
        one = ranks.of_rank(job, rank, port)
        where = {
            "MASTER_ADDR": address,
            "LOCAL_RANK": str(nodes[:rank].count(node)),
            "LOCAL_WORLD_SIZE": str(nodes.count(node)),
        }
        variables = {**one.variables, **where}
        found.append(dataclasses.replace(one, variables=variables, silence_seconds=0.0))
    return found


async def _failed(failure: StepFailure, on_lines: OnLines) -> Outcome:
    await on_lines([Line("system", failure.message)])
    return Outcome(failure=failure)
