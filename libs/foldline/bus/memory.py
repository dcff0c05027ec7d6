"""The bus inside one process, with the semantics of the real one: for local runs and for tests."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog

from foldline.bus import subjects
from foldline.bus.delivery import Delivery, reason_of, stop
from foldline.bus.port import Consumer, Fact, Handler, Message, Parked, Poison
from foldline.chassis.clock import Clock, SystemClock

log = structlog.get_logger()


class _Subscription:
    def __init__(self, task: asyncio.Task[None], leave: Callable[[], None]) -> None:
        self._task = task
        self._leave = leave

    async def close(self) -> None:
        self._leave()
        await stop(self._task)


class _Listener(msgspec.Struct, frozen=True, eq=False):
    subject: str
    queue: str
    delivery: Delivery


class _Group:
    """A durable consumer: the facts that wait for it and how often each was delivered."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.waiting: asyncio.Queue[tuple[Message, int]] = asyncio.Queue()


class MemoryBus:
    """Lives as long as the object; one event loop. There is no connection that could be lost."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._listeners: list[_Listener] = []
        self._turns: dict[tuple[str, str], int] = {}
        self._facts: list[Message] = []
        self._fact_ids: set[str] = set()
        self._groups: dict[str, _Group] = {}
        self._parked: deque[Parked] = deque()

    async def publish(self, subject: str, body: bytes) -> None:
        message = Message(subject, body)
        groups: dict[tuple[str, str], list[_Listener]] = {}
        for listener in self._listeners:
            if not matches(listener.subject, subject):
                continue
            if listener.queue:
                groups.setdefault((listener.subject, listener.queue), []).append(listener)
            else:
                listener.delivery.offer(message)
        for key, members in groups.items():
            turn = self._turns[key] = self._turns.get(key, -1) + 1
            members[turn % len(members)].delivery.offer(message)

    async def subscribe(self, subject: str, handler: Handler, *, queue: str = "") -> _Subscription:
        listener = _Listener(subject, queue, Delivery(handler, self.park))
        self._listeners.append(listener)
        task = asyncio.create_task(listener.delivery.run(), name=f"bus-{subject}")
        return _Subscription(task, lambda: self._leave(listener))

    async def publish_fact(self, subject: str, body: bytes, *, message_id: str) -> None:
        subjects.check_event(subject)
        if message_id in self._fact_ids:
            return
        self._fact_ids.add(message_id)
        message = Message(subject, body)
        self._facts.append(message)
        for group in self._groups.values():
            if matches(group.consumer.subject, subject):
                group.waiting.put_nowait((message, 1))

    async def publish_facts(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            subjects.check_event(fact.subject)
        for fact in facts:
            await self.publish_fact(fact.subject, fact.body, message_id=fact.message_id)

    async def consume(self, consumer: Consumer, handler: Handler) -> _Subscription:
        group = self._groups.get(consumer.name)
        if group is None:
            group = self._groups[consumer.name] = _Group(consumer)
            for message in self._facts:
                if matches(consumer.subject, message.subject):
                    group.waiting.put_nowait((message, 1))
        task = asyncio.create_task(self._read(group, handler), name=f"bus-{consumer.name}")
        return _Subscription(task, lambda: None)

    async def park(self, message: Message, reason: str) -> None:
        self._parked.appendleft(Parked(message.subject, reason, self._clock.now(), message.body))

    async def parked(self, limit: int) -> Sequence[Parked]:
        return list(self._parked)[:limit]

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Never calls back: nothing gets lost here."""

    def _leave(self, listener: _Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)

    async def _read(self, group: _Group, handler: Handler) -> None:
        while True:
            message, delivered = await group.waiting.get()
            try:
                await handler(message)
            except asyncio.CancelledError:
                # Not acknowledged: the next reader gets it.
                group.waiting.put_nowait((message, delivered))
                raise
            except Exception as error:
                log.warning("message_refused", subject=message.subject, delivered=delivered, exc_info=error)
                if isinstance(error, Poison) or delivered >= group.consumer.max_deliver:
                    await self.park(message, reason_of(error))
                else:
                    group.waiting.put_nowait((message, delivered + 1))


def matches(pattern: str, subject: str) -> bool:
    """Does a subject fall under a pattern with the wildcards `*` (one word) and `>` (the rest, not empty)?"""
    wanted, words = pattern.split("."), subject.split(".")
    for place, want in enumerate(wanted):
        if place >= len(words):
            return False
        if want == ">":
            return True
        if want not in ("*", words[place]):
            return False
    return len(wanted) == len(words)
