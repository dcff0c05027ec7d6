"""Plain messages whose handler falls behind take a bounded room."""

from __future__ import annotations

import asyncio

from tests.waiting import until

from foldline.bus.delivery import CAPACITY_BYTES, Delivery
from foldline.bus.port import Message

LARGE = b"x" * (CAPACITY_BYTES // 4)


async def test_what_waits_is_bounded_in_bytes_and_room_comes_back() -> None:
    handled: list[str] = []
    done = asyncio.Event()

    async def handle(message: Message) -> None:
        handled.append(message.subject)
        if message.subject == "last":
            done.set()

    async def park(_message: Message, _reason: str) -> None: ...

    delivery = Delivery(handle, park)
    for number in range(6):
        delivery.offer(Message(str(number), LARGE))
    task = asyncio.ensure_future(delivery.run())
    await until(lambda: handled == ["0", "1", "2", "3"])

    delivery.offer(Message("last", LARGE))
    await asyncio.wait_for(done.wait(), 5)
    task.cancel()

    assert handled == ["0", "1", "2", "3", "last"]
