"""From the follower of the ledger to those who watch: one topic per watched run.

A topic keeps a short tail of newest events that all its watchers share. A watcher holds no queue, only the
version it has sent, so one that is slow costs nothing: it finds the newest tail when it comes back, and
where the tail does not reach back far enough, the ledger.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from foldline.eventstore.port import Recorded
from foldline_recorder import metrics

TAIL_EVENTS = 500
TAIL_BYTES = 1024 * 1024


class Topic:
    """The newest events of one stream."""

    def __init__(self) -> None:
        self.watchers = 0
        self.version = 0
        self._tail: deque[Recorded] = deque()
        self._size = 0
        self._grown = asyncio.Event()

    def add(self, events: Sequence[Recorded]) -> None:
        """Take in events of the stream, in order; what is known already is ignored."""
        for recorded in events:
            if recorded.version <= self.version:
                continue
            if recorded.version != self.version + 1:
                self._tail.clear()
                self._size = 0
            self._tail.append(recorded)
            self._size += len(recorded.payload)
            self.version = recorded.version
        while len(self._tail) > TAIL_EVENTS or (self._size > TAIL_BYTES and len(self._tail) > 1):
            self._size -= len(self._tail.popleft().payload)
        self._wake()

    def reach(self, version: int) -> None:
        """The stream is known from elsewhere to have got to `version`."""
        if version > self.version:
            self._tail.clear()
            self._size = 0
            self.version = version
            self._wake()

    def after(self, version: int, limit: int) -> list[Recorded] | None:
        """Events with a higher version; None where the tail does not reach back that far."""
        if version >= self.version:
            return []
        if not self._tail or self._tail[0].version > version + 1:
            return None
        start = version + 1 - self._tail[0].version
        return [self._tail[place] for place in range(start, min(start + limit, len(self._tail)))]

    async def wait(self, version: int) -> None:
        """Wait until the stream is known to have got beyond `version`."""
        while self.version <= version:
            await self._grown.wait()

    def _wake(self) -> None:
        # Whoever waits holds this event; the next ones wait for a fresh one.
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()


class Broadcast:
    def __init__(self) -> None:
        self._topics: dict[str, Topic] = {}

    @contextmanager
    def watch(self, stream: str) -> Iterator[Topic]:
        """The stream's topic, for as long as the block lasts."""
        topic = self._topics.setdefault(stream, Topic())
        topic.watchers += 1
        metrics.WATCHERS.inc()
        try:
            yield topic
        finally:
            metrics.WATCHERS.dec()
            topic.watchers -= 1
            if not topic.watchers:
                del self._topics[stream]

    def publish(self, stream: str, events: Sequence[Recorded]) -> None:
        topic = self._topics.get(stream)
        if topic is not None:
            topic.add(events)

    def watched(self) -> dict[str, int]:
        """The watched streams, with the newest version known of each."""
        return {stream: topic.version for stream, topic in self._topics.items()}
