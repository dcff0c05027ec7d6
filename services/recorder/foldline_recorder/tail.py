"""The live end of a log: lines as they come over NATS, until their reader takes them.

Bounded: when the reader is too slow the lines are let go, for the kept copy has them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Self

from foldline.bus import subjects
from foldline.bus.port import Bus, Message, Subscription
from foldline.domain.work import LogChunk, LogEntry
from foldline.wire import work

LARGEST = 5000
LARGEST_BYTES = 1024 * 1024


class Tail:
    """Made by `open`; must be closed."""

    def __init__(self) -> None:
        self._lines: deque[LogEntry] = deque()
        self._size = 0
        self._last: int | None = None
        self._said_end = False
        self._subscription: Subscription | None = None
        self._grown = asyncio.Event()

    @classmethod
    async def open(cls, bus: Bus, run_id: str, step: str, attempt: int) -> Self:
        tail = cls()
        tail._subscription = await bus.subscribe(subjects.log(run_id, step, attempt), tail._receive)
        return tail

    async def close(self) -> None:
        if self._subscription is not None:
            await self._subscription.close()

    async def wait(self) -> None:
        """Wait for something new since `take`."""
        await self._grown.wait()

    def take(self, after: int) -> list[LogEntry]:
        """The lines that follow line `after` without gap; what is before them is dropped."""
        self._grown.clear()
        taken: list[LogEntry] = []
        while self._lines and self._lines[0].number <= after + 1:
            line = self._drop_first()
            if line.number == after + 1:
                taken.append(line)
                after += 1
        return taken

    def first(self) -> int | None:
        """Number of the first line that waits, None where none does."""
        return self._lines[0].number if self._lines else None

    def takes_end(self) -> bool:
        """The attempt was said to have ended; told once. The store has all of the log now."""
        said, self._said_end = self._said_end, False
        return said

    def is_at_end(self, after: int) -> bool:
        """The attempt is known to have ended with line `after`."""
        return self._last is not None and after >= self._last

    async def _receive(self, message: Message) -> None:
        chunk = work.decode(LogChunk, message.body)
        for line in chunk.lines:
            self._lines.append(line)
            self._size += len(line.text)
        if chunk.end:
            self._said_end = True
            # Without lines it does not say which the last one was, and lines before it may have been lost.
            self._last = chunk.lines[-1].number if chunk.lines else None
        while len(self._lines) > LARGEST or self._size > LARGEST_BYTES:
            self._drop_first()
        self._grown.set()

    def _drop_first(self) -> LogEntry:
        line = self._lines.popleft()
        self._size -= len(line.text)
        return line
