"""Room in the cluster: reserved for an attempt, and kept a moment for the next one that needs the same.

To reserve costs some milliseconds, and a whole second when Ray has not noticed yet that the last one has
left. Whoever finds no room at once has all that is merely kept given up.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

_KEPT_SECONDS = 0.5
_AT_ONCE_SECONDS = 0.05

Shape = tuple[tuple[tuple[str, float], ...], int]


class NoPlace(Exception):
    """The cluster had no room in time."""


class Room:
    """For one attempt: for all of its ranks or for none. `nodes` are Ray's ids, by rank."""

    def __init__(self, shape: Shape, group: Any, nodes: list[str]) -> None:
        self.shape = shape
        self.group = group
        self.nodes = nodes


class Rooms:
    """Of one driver. Ray gives up all of them when that ends, whatever way."""

    def __init__(self, ray: Any, patience: float) -> None:
        self._ray = ray
        self._patience = patience
        self._kept: defaultdict[Shape, list[Room]] = defaultdict(list)
        self._leaving: set[asyncio.Task[None]] = set()

    async def take(self, needs: Mapping[str, float], ranks: int) -> Room:
        """Wait until there is room for all ranks at once. Cancelling gives up."""
        shape = (tuple(sorted(needs.items())), ranks)
        if self._kept[shape]:
            return self._kept[shape].pop()
        group = await _whole(asyncio.to_thread(self._ask, needs, ranks), self._remove)
        try:
            if not await asyncio.to_thread(group.wait, _AT_ONCE_SECONDS):
                await self.clear()
                async with asyncio.timeout(self._patience):
                    await group.ready()
            nodes = await asyncio.to_thread(self._nodes_of, group, ranks)
        except TimeoutError:
            await self._remove(group)
            raise NoPlace from None
        except BaseException:
            await self._remove(group)
            raise
        return Room(shape, group, nodes)

    def give_back(self, room: Room) -> None:
        self._kept[room.shape].append(room)
        task = asyncio.create_task(self._keep(room), name="ray-room")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def clear(self) -> None:
        """Give up what is merely kept."""
        kept, self._kept = self._kept, defaultdict(list)
        for room in (room for rooms in kept.values() for room in rooms):
            await self._remove(room.group)

    async def _keep(self, room: Room) -> None:
        await asyncio.sleep(_KEPT_SECONDS)
        if room in self._kept[room.shape]:
            self._kept[room.shape].remove(room)
            await self._remove(room.group)

    def _ask(self, needs: Mapping[str, float], ranks: int) -> Any:
        # Ranks are packed, to be close to each other; but no node need have room for all.
        return self._ray.util.placement_group([dict(needs) for _ in range(ranks)], strategy="PACK")

    def _nodes_of(self, group: Any, ranks: int) -> list[str]:
        found = self._ray.util.placement_group_table(group)["bundles_to_node_id"]
        return [found[rank] for rank in range(ranks)]

    async def _remove(self, group: Any) -> None:
        with suppress(self._ray.exceptions.RayError):
            await asyncio.to_thread(self._ray.util.remove_placement_group, group)


async def _whole(work: Awaitable[Any], undo: Callable[[Any], Awaitable[None]]) -> Any:
    """The result of work that cannot be interrupted; cancelled meanwhile, it is undone."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if task.exception() is None:
            await undo(task.result())
        raise
