"""What the backend asks of Ray: a driver's connection, room for attempts, and one outpost of ours per node.

The only module that imports Ray, late: it takes half a second and is an extra.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from foldline.domain.errors import FoldlineError, Kind
from foldline.runtime.outposts import Outpost
from foldline_executor.ray.library import copy_of_runtime
from foldline_executor.ray.rooms import Room, Rooms

_BEAT_SECONDS = 2.0
_MOST_CALLS = 100_000
"""Of one outpost at the same time: one or two for each attempt."""


_GENTLE = {"RAY_kill_child_processes_on_worker_exit": "0"}
"""Ray would kill the parents of steps, and those alone: what steps have started would get away. Parents that
are left alone end everything below them, and then themselves.
"""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator says of the cluster."""

    address: str = "auto"
    """Of its head, as `ray.init` takes it; "auto" for the one of this machine. A node of it must be here."""
    namespace: str = "foldline"
    place_seconds: float = 600.0
    """How long an attempt may wait for room in the cluster."""


class Cluster:
    """An asynchronous context manager; leaving it ends everything that it has in the cluster."""

    def __init__(self, folder: Path, terms: Terms, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._terms = terms
        self._environ = dict(environ)
        self._outposts: dict[str, Any] = {}
        self._ray: Any = None
        self._library = Path()
        self._rooms: Rooms | None = None
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Cluster:
        self._ray = _ray()
        self._library = await asyncio.to_thread(copy_of_runtime, self._folder)
        try:
            # In a thread, because in the main one Ray would take the signals that are ours.
            await asyncio.to_thread(self._connect)
        except Exception as error:
            message = f"no Ray cluster at {self._terms.address} lets this executor in: {error}"
            raise FoldlineError(Kind.UNAVAILABLE, "RAY_UNAVAILABLE", message) from error
        self._rooms = Rooms(self._ray, self._terms.place_seconds)
        self._beating = asyncio.create_task(self._beat(), name="ray-beats")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._beating is not None:
            self._beating.cancel()
        await self.rooms.clear()
        for closing in [outpost.close.remote() for outpost in self._outposts.values()]:
            with suppress(*self.errors):
                await closing
        await asyncio.to_thread(self._ray.shutdown)

    @property
    def rooms(self) -> Rooms:
        assert self._rooms is not None, "it is not open"
        return self._rooms

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What a call of an outpost raises when that, its node or the cluster is gone."""
        return (self._ray.exceptions.RayError,)

    def outpost(self, node: str) -> Any:
        """The one of the node, started if it is not there."""
        if (known := self._outposts.get(node)) is None:
            strategies = self._ray.util.scheduling_strategies
            actor = self._ray.remote(Outpost).options(
                num_cpus=0,
                max_restarts=0,
                max_concurrency=_MOST_CALLS,
                scheduling_strategy=strategies.NodeAffinitySchedulingStrategy(node, soft=False),
                runtime_env={"env_vars": {"PYTHONPATH": str(self._library), **_GENTLE}},
            )
            known = self._outposts[node] = actor.remote(str(self._folder / "nodes" / node), self._environ)
        return known

    def forget(self, node: str, outpost: Any) -> None:
        """It is gone; the next attempt on the node gets a new one."""
        if self._outposts.get(node) is outpost:
            del self._outposts[node]

    async def processors(self, room: Room, rank: int, count: int) -> list[str]:
        """Which graphics processors of its node the rank has: known to a task in its room alone."""

        def ask() -> list[str]:
            import ray

            return [str(one) for one in ray.get_runtime_context().get_accelerator_ids().get("GPU", [])]

        strategies = self._ray.util.scheduling_strategies
        strategy = strategies.PlacementGroupSchedulingStrategy(
            placement_group=room.group, placement_group_bundle_index=rank
        )
        task = self._ray.remote(ask).options(
            num_cpus=0, num_gpus=count, max_retries=0, scheduling_strategy=strategy
        )
        found: list[str] = await task.remote()
        return found

    async def address_of(self, node: str) -> str:
        """The network address by which the other nodes know it."""
        nodes = await asyncio.to_thread(self._ray.nodes)
        return next(str(one["NodeManagerAddress"]) for one in nodes if one["NodeID"] == node)

    async def _beat(self) -> None:
        """Outposts that hear nothing of us end, and what they carry."""
        while True:
            for outpost in self._outposts.values():
                outpost.beat.remote()
            await asyncio.sleep(_BEAT_SECONDS)

    def _connect(self) -> None:
        self._ray.init(
            address=self._terms.address,
            namespace=self._terms.namespace,
            log_to_driver=False,
            configure_logging=False,
        )


def _ray() -> Any:
    try:
        import ray
        import ray.util.scheduling_strategies
    except ImportError as error:
        message = "the backend ray needs Ray: pip install 'foldline[ray]', in the version of the cluster"
        raise FoldlineError(Kind.PRECONDITION, "EXTRA_MISSING", message) from error
    return ray
