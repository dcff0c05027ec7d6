"""The bus over NATS: core NATS for plain delivery, JetStream for what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import quote, unquote

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as ClientSubscription
from nats.js import api
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from foldline.bus import streams, subjects
from foldline.bus.connection import Connection
from foldline.bus.delivery import Delivery, stop
from foldline.bus.failures import LOST, too_large, translated
from foldline.bus.port import Consumer, Fact, Handler, Message, Parked
from foldline.bus.reader import Reader
from foldline.chassis import background
from foldline.domain.errors import FoldlineError

_START_SECONDS = 10.0
_ANSWER_SECONDS = 5.0
_REASON = "Foldline-Reason"
_SUBJECT = "Foldline-Subject"
_PLAIN = "".join(letter for letter in map(chr, range(32, 127)) if letter != "%")  # headers carry ASCII alone

log = structlog.get_logger()


@asynccontextmanager
async def connect(url: str, *, name: str) -> AsyncIterator[JetStreamBus]:
    """A connected bus. Raises UNAVAILABLE when NATS does not answer within ten seconds."""
    connection = Connection(url, name)
    try:
        async with background.tasks() as tasks:
            tasks.create_task(connection.run(), name="bus-connection")
            await connection.wait_up(_START_SECONDS)
            yield JetStreamBus(connection, tasks)
    finally:
        await connection.close()


class _Subscription:
    """A plain subscription, set up again on each connection."""

    def __init__(self, connection: Connection, subject: str, queue: str, delivery: Delivery) -> None:
        self._connection = connection
        self._subject = subject
        self._queue = queue
        self._delivery = delivery
        self._present: ClientSubscription | None = None
        self.task: asyncio.Task[None] | None = None

    async def set_up(self, client: Client) -> None:
        async def receive(message: Msg) -> None:
            self._delivery.offer(Message(message.subject, message.data))

        self._present = await client.subscribe(self._subject, queue=self._queue, cb=receive)
        # The server knows of it before anybody is told that it is there.
        await client.flush(timeout=2)

    async def close(self) -> None:
        self._connection.remove(self)
        present, self._present = self._present, None
        if present is not None:
            try:
                await present.unsubscribe()
            except LOST as error:
                log.debug("bus_unsubscribe_failed", subject=self._subject, error=str(error))
        if self.task is not None:
            await stop(self.task)


class JetStreamBus:
    """Made by `connect`."""

    def __init__(self, connection: Connection, tasks: asyncio.TaskGroup) -> None:
        self._connection = connection
        self._tasks = tasks

    async def publish(self, subject: str, body: bytes) -> None:
        self._check_size(subject, body)
        with translated(f"publishing to {subject}"):
            # To a client that has died, or a server that reads nothing, it would wait for ever.
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._connection.client.publish(subject, body)

    async def subscribe(self, subject: str, handler: Handler, *, queue: str = "") -> _Subscription:
        delivery = Delivery(handler, self._park_quietly)
        subscription = _Subscription(self._connection, subject, queue, delivery)
        subscription.task = self._tasks.create_task(delivery.run(), name=f"bus-{subject}")
        await self._connection.add(subscription, subscription.set_up)
        return subscription

    async def publish_fact(self, subject: str, body: bytes, *, message_id: str) -> None:
        subjects.check_event(subject)
        await self._keep(streams.EVENTS, subject, body, {api.Header.MSG_ID: message_id})

    async def publish_facts(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            subjects.check_event(fact.subject)
            self._check_size(fact.subject, fact.body)
        if facts and not await self._publish_chained(facts):
            for fact in facts:
                await self.publish_fact(fact.subject, fact.body, message_id=fact.message_id)

    async def consume(self, consumer: Consumer, handler: Handler) -> Reader:
        reader = Reader(self._connection, consumer, handler, self.park)
        await reader.start(self._tasks)
        return reader

    async def park(self, message: Message, reason: str) -> None:
        headers = {_REASON: quote(reason, safe=_PLAIN), _SUBJECT: message.subject}
        await self._keep(streams.PARKED, subjects.parked(message.subject), message.body, headers)

    async def parked(self, limit: int) -> Sequence[Parked]:
        found: list[Parked] = []
        with translated("reading the parked messages"):
            stream = self._connection.client.jetstream()
            state = (await stream.stream_info(streams.PARKED)).state
            for sequence in range(state.last_seq, max(state.first_seq, 1) - 1, -1):
                if len(found) == limit:
                    break
                try:
                    found.append(_parked(await stream.get_msg(streams.PARKED, sequence)))
                except NotFoundError:
                    continue  # deleted by an operator, or aged meanwhile
        return found

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        self._connection.on_reconnect(callback)

    async def _keep(self, stream: str, subject: str, body: bytes, headers: dict[str, str]) -> None:
        """Publish and wait until the stream has it; declare the streams again if there is none."""
        self._check_size(subject, body)
        with translated(f"publishing to {subject}"):
            context = self._connection.client.jetstream(timeout=_ANSWER_SECONDS)
            try:
                await context.publish(subject, body, stream=stream, headers=dict(headers))
            except NoStreamResponseError:
                await streams.declare(context)
                await context.publish(subject, body, stream=stream, headers=dict(headers))

    async def _publish_chained(self, facts: Sequence[Fact]) -> bool:
        """Publish all at once and have the last alone confirmed: it is refused unless the one before it is
        the stream's last message, and so on back to the first. False when a link does not hold.

        A link holds, too, when a fact is there already: whoever published it did so behind the one before it.
        """
        *others, last = facts
        headers: dict[str, str] = {}
        with translated("publishing facts"):
            client = self._connection.client
            async with asyncio.timeout(_ANSWER_SECONDS):
                for fact in others:
                    headers[api.Header.MSG_ID] = fact.message_id
                    await client.publish(fact.subject, fact.body, headers=headers)
                    headers[api.Header.EXPECTED_LAST_MSG_ID] = fact.message_id
            headers[api.Header.MSG_ID] = last.message_id
            context = client.jetstream(timeout=_ANSWER_SECONDS)
            try:
                await context.publish(last.subject, last.body, stream=streams.EVENTS, headers=headers)
            except APIError as error:
                log.debug("facts_not_chained", facts=len(facts), error=str(error))
                return False
            except NoStreamResponseError:
                return False
        return True

    async def _park_quietly(self, message: Message, reason: str) -> None:
        try:
            await self.park(message, reason)
        except FoldlineError as error:
            # Plain messages are repeated by their senders; there is nobody else to tell.
            log.error("message_not_parked", subject=message.subject, reason=reason, error=error.message)

    def _check_size(self, subject: str, body: bytes) -> None:
        largest = self._connection.largest
        if len(body) > largest:
            raise too_large(subject, len(body), largest)


def _parked(message: api.RawStreamMsg) -> Parked:
    headers = message.headers or {}
    return Parked(
        subject=headers.get(_SUBJECT, message.subject or ""),
        reason=unquote(headers.get(_REASON, "")),
        time=message.time or datetime.fromtimestamp(0, UTC),
        body=message.data or b"",
    )
