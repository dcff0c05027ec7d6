"""The port of the bus: delivery, never truth.

Two ways of delivery. *Plain* (`publish`, `subscribe`): at most once, to whoever listens now; what schedulers
and executors say to each other, who repeat themselves until answered. *Kept* (`publish_fact`, `consume`):
at least once, through a JetStream stream; what outsiders read. A second `publish_fact` with the same message
id within the stream's window is dropped.

Poison: a handler that raises gets the message again, `Consumer.max_deliver` times; then, or at once
when it raises `Poison`, the message is parked (stream PARKED, with subject and reason) and forgotten.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec


class Message(msgspec.Struct, frozen=True):
    subject: str
    body: bytes


class Fact(msgspec.Struct, frozen=True):
    """What is to be kept. `message_id` tells a second copy."""

    subject: str  # under foldline.event
    body: bytes
    message_id: str


class Parked(msgspec.Struct, frozen=True):
    subject: str
    reason: str
    time: datetime
    body: bytes


class Consumer(msgspec.Struct, frozen=True, kw_only=True):
    """A durable reader of a kept stream. Two processes with the same name share the messages."""

    name: str
    subject: str
    max_deliver: int = 5
    ack_wait_seconds: float = 30.0


class Poison(Exception):
    """Raised by a handler for a message that no retry will make readable."""


Handler = Callable[[Message], Awaitable[None]]


class Subscription(Protocol):
    async def close(self) -> None: ...


class Bus(Protocol):
    async def publish(self, subject: str, body: bytes) -> None:
        """Plain delivery. Raises FoldlineError(UNAVAILABLE) while there is no connection."""
        ...

    async def subscribe(self, subject: str, handler: Handler, *, queue: str = "") -> Subscription:
        """Call `handler` for each plain message, one at a time, in order; survives reconnects.

        `*` and `>` are wildcards as in NATS. With `queue`, one member of that group gets each message.
        A handler that raises Poison (or anything) parks the message; the subscription goes on.
        """
        ...

    async def publish_fact(self, subject: str, body: bytes, *, message_id: str) -> None:
        """Kept delivery; returns when the stream has it. Subject must be under foldline.event."""
        ...

    async def publish_facts(self, facts: Sequence[Fact]) -> None:
        """Kept delivery of many, in this order; returns when the stream has all of them.

        A fact is kept only when the one before it is, so after an error the stream has a beginning of `facts`
        (unless somebody published them in another order). Raises INVALID, with nothing sent, where one of
        them cannot be kept at all.
        """
        ...

    async def consume(self, consumer: Consumer, handler: Handler) -> Subscription:
        """Kept delivery: acknowledge after `handler` returns, redeliver when it raises."""
        ...

    async def park(self, message: Message, reason: str) -> None: ...

    async def parked(self, limit: int) -> Sequence[Parked]:
        """The newest parked messages, newest first."""
        ...

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Have `callback` run after each lost and regained connection (streams are declared again)."""
        ...
