"""Plain delivery inside a process: one message at a time, in order, for as long as the subscription lives.

Messages wait in a queue of the subscription's own and are handled by a task of its own, so that neither a
slow handler stops the connection's reader nor a lost connection interrupts a handler.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from foldline.bus.port import Handler, Message, Poison
from foldline.chassis import metrics

CAPACITY = 65_536
CAPACITY_BYTES = 64 * 1024 * 1024
"""Messages that may wait. Plain messages are repeated by their senders, so the newest ones are let go."""

Park = Callable[[Message, str], Awaitable[None]]

log = structlog.get_logger()

_dropped = metrics.counter("foldline_bus_dropped", "Plain messages dropped because a handler fell behind")


class Delivery:
    def __init__(self, handler: Handler, park: Park) -> None:
        self._handler = handler
        self._park = park
        self._queue: asyncio.Queue[Message] = asyncio.Queue(CAPACITY)
        self._size = 0

    def offer(self, message: Message) -> None:
        if self._size + len(message.body) > CAPACITY_BYTES or self._queue.full():
            _dropped.inc()
            return
        self._size += len(message.body)
        self._queue.put_nowait(message)

    async def run(self) -> None:
        while True:
            message = await self._queue.get()
            self._size -= len(message.body)
            try:
                await self._handler(message)
            except Exception as error:
                log.warning("message_refused", subject=message.subject, exc_info=error)
                await self._park(message, reason_of(error))


def reason_of(error: Exception) -> str:
    """What an operator reads beside a parked message: one line, of a bounded length."""
    text = str(error) if isinstance(error, Poison) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:500] or type(error).__name__


async def stop(task: asyncio.Task[None]) -> None:
    """End a task and wait for its end, unless it is the one that asks."""
    task.cancel()
    if task is not asyncio.current_task():
        await asyncio.wait([task])
