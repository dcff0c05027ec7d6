"""How far this process has followed each stream, for those who wait to see their own writes in a list."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

REMEMBERED = 10_000


class Seen:
    """Knows the streams that changed last. Nobody waits for older ones: a wait is two seconds long."""

    def __init__(self) -> None:
        self._revisions: OrderedDict[str, int] = OrderedDict()
        self._grown = asyncio.Event()

    def note(self, stream: str, revision: int) -> None:
        """The read models hold `stream` up to `revision`."""
        self._revisions[stream] = revision
        self._revisions.move_to_end(stream)
        if len(self._revisions) > REMEMBERED:
            self._revisions.popitem(last=False)
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    async def wait(self, stream: str, revision: int, *, seconds: float) -> bool:
        """Wait until `stream` is held up to `revision`; False when that took too long."""
        try:
            async with asyncio.timeout(seconds):
                while self._revisions.get(stream, 0) < revision:
                    await self._grown.wait()
        except TimeoutError:
            return False
        return True
