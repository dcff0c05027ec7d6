"""Work that many attempts need and that is done once, with everyone who waits for it being told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from foldline.environments import Tell


class _Work:
    """What is under way."""

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.told: list[str] = []
        self.listeners: list[Tell] = []

    async def tell(self, line: str) -> None:
        self.told.append(line)
        for listener in list(self.listeners):
            await listener(line)


class Once:
    """Work by its key, while it is under way."""

    def __init__(self) -> None:
        self._under_way: dict[str, _Work] = {}

    async def do(self, key: str, tell: Tell, work: Callable[[Tell], Awaitable[None]]) -> None:
        """Whoever needs the same thing meanwhile waits for it; one who gives up does not end it.

        Who comes later is told what was told before.
        """
        found = self._under_way.get(key)
        if found is None:
            found = self._under_way[key] = _Work()
            found.listeners.append(tell)
            found.task = asyncio.create_task(self._do(key, found, work), name=f"once {key}")
            found.task.add_done_callback(_look_at)
        else:
            caught_up = 0
            while caught_up < len(found.told):
                await tell(found.told[caught_up])
                caught_up += 1
            found.listeners.append(tell)
        assert found.task is not None
        try:
            await asyncio.shield(found.task)
        finally:
            found.listeners.remove(tell)

    async def close(self) -> None:
        """End what is under way."""
        tasks = [work.task for work in self._under_way.values() if work.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _do(self, key: str, found: _Work, work: Callable[[Tell], Awaitable[None]]) -> None:
        try:
            await work(found.tell)
        finally:
            del self._under_way[key]


def _look_at(task: asyncio.Task[None]) -> None:
    """Everyone who waited may have given up; the error is nobody's then."""
    if not task.cancelled():
        task.exception()
