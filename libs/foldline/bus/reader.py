"""A durable reader of a kept stream: pull, handle, acknowledge; redeliver what fails, park what is poison.

One pull request is open at a time; its messages come to an inbox of ours and are handled in order. The server
tells by a heartbeat that it still knows the request. Silence, a deleted consumer or a new connection mean:
declare everything again and pull anew. The server redelivers without end and the counting is done here, so
that no message is ever dropped without being parked.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import api

from foldline.bus import streams
from foldline.bus.connection import Connection
from foldline.bus.delivery import Park, reason_of, stop
from foldline.bus.failures import LOST, translated
from foldline.bus.port import Consumer, Handler, Message, Poison
from foldline.chassis import background
from foldline.domain.errors import FoldlineError, Kind

_BATCH = 32
_EXPIRES_SECONDS = 30.0
_HEARTBEAT_SECONDS = 5.0
_SILENCE_SECONDS = 2.5 * _HEARTBEAT_SECONDS
_PAUSE_SECONDS = 0.25
_LONGEST_DELAY_SECONDS = 30.0

_HEARTBEAT = "100"
_DONE = ("404", "408")
"""Nothing there; the request has expired."""

log = structlog.get_logger()


class Reader:
    """Started by `start`; set up again on each connection."""

    def __init__(self, connection: Connection, consumer: Consumer, handler: Handler, park: Park) -> None:
        self._connection = connection
        self._consumer = consumer
        self._handler = handler
        self._park = park
        self._arrived: asyncio.Queue[Msg] = asyncio.Queue()
        self._unfinished: list[Msg] = []
        self._missing = 0  # messages that the open pull request may still bring
        self._client: Client | None = None
        self._inbox: Subscription | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        with translated(f"declaring the consumer {self._consumer.name}"):
            await self.set_up(self._connection.client)
        self._connection.keep(self, self.set_up)
        self._task = tasks.create_task(self._run(), name=f"bus-{self._consumer.name}")

    async def close(self) -> None:
        """Give back what was not begun; the next reader of this name gets it."""
        self._connection.remove(self)
        await self._leave()
        if self._task is not None:
            await stop(self._task)
        for message in self._unfinished:
            await _tell(message.nak())

    async def set_up(self, client: Client) -> None:
        """Declare streams and consumer, forget what came over an earlier connection, pull."""
        stream = client.jetstream()
        await streams.declare(stream)
        await stream.add_consumer(streams.EVENTS, self._declaration())
        await self._leave()
        while not self._arrived.empty():
            self._arrived.get_nowait()
        self._unfinished.clear()
        subject = client.new_inbox()

        async def receive(message: Msg) -> None:
            if self._inbox is None or self._inbox.subject == subject:
                self._arrived.put_nowait(message)
                if not _status(message):
                    self._unfinished.append(message)

        self._inbox = await client.subscribe(subject, cb=receive)
        self._client = client
        await self._pull()

    def _declaration(self) -> api.ConsumerConfig:
        return api.ConsumerConfig(
            durable_name=self._consumer.name,
            filter_subject=self._consumer.subject,
            ack_policy=api.AckPolicy.EXPLICIT,
            ack_wait=self._consumer.ack_wait_seconds,
            max_deliver=-1,
        )

    async def _run(self) -> None:
        async with background.tasks() as tasks:
            tasks.create_task(self._hold())
            while True:
                try:
                    async with asyncio.timeout(_SILENCE_SECONDS):
                        message = await self._arrived.get()
                except TimeoutError:
                    await self._recover("the server is silent")
                    continue
                status = _status(message)
                if not status:
                    await self._handle(message)
                    self._missing -= 1
                    if self._missing <= 0:
                        await self._pull()
                elif status in _DONE:
                    await self._pull()
                elif status != _HEARTBEAT:
                    await self._recover(f"{status} {(message.headers or {}).get('Description', '')}")

    async def _hold(self) -> None:
        """Tell the server that we still work on these, so that it gives them to nobody else."""
        while True:
            await asyncio.sleep(self._consumer.ack_wait_seconds / 3)
            for message in list(self._unfinished):
                await _tell(message.in_progress())

    async def _pull(self) -> None:
        request = {
            "batch": _BATCH,
            "expires": int(_EXPIRES_SECONDS * 1e9),
            "idle_heartbeat": int(_HEARTBEAT_SECONDS * 1e9),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{streams.EVENTS}.{self._consumer.name}"
        self._missing = _BATCH
        if self._client is not None and self._inbox is not None:
            await _tell(self._client.publish(subject, json.dumps(request).encode(), self._inbox.subject))

    async def _recover(self, why: str) -> None:
        """Stream or consumer may be gone while the connection is there. A new connection helps itself."""
        log.info("bus_reader_recovers", consumer=self._consumer.name, why=why)
        await asyncio.sleep(_PAUSE_SECONDS)
        try:
            await self.set_up(self._connection.client)
        except LOST as error:
            log.debug("bus_reader_waits", consumer=self._consumer.name, error=str(error))
        except FoldlineError as error:
            if error.kind is not Kind.UNAVAILABLE:
                raise

    async def _leave(self) -> None:
        inbox, self._inbox = self._inbox, None
        if inbox is not None:
            await _tell(inbox.unsubscribe())

    async def _handle(self, received: Msg) -> None:
        message = Message(received.subject, received.data)
        delivered = received.metadata.num_delivered or 1
        try:
            if delivered > self._consumer.max_deliver:
                # Whoever had it died with it, each time.
                raise Poison(f"no handler survived it ({self._consumer.max_deliver} deliveries)")
            await self._handler(message)
        except Exception as error:
            log.warning("message_refused", subject=message.subject, delivered=delivered, exc_info=error)
            if isinstance(error, Poison) or delivered >= self._consumer.max_deliver:
                await self._give_up(received, message, reason_of(error))
            else:
                await _tell(received.nak(delay=min(0.1 * 4 ** (delivered - 1), _LONGEST_DELAY_SECONDS)))
        else:
            await _tell(received.ack())
        if received in self._unfinished:
            self._unfinished.remove(received)

    async def _give_up(self, received: Msg, message: Message, reason: str) -> None:
        try:
            await self._park(message, reason)
        except FoldlineError as error:
            # Not parked, so not forgotten: it comes again.
            log.error("message_not_parked", subject=message.subject, reason=reason, error=error.message)
            await _tell(received.nak(delay=1.0))
        else:
            await _tell(received.term())


async def _tell(telling: Awaitable[object]) -> None:
    """Say something to the server. If it does not hear it, it delivers again, which is what it is for."""
    try:
        await telling
    except LOST as error:
        log.debug("bus_not_told", error=str(error) or type(error).__name__)


def _status(message: Msg) -> str:
    """The status code of what the server itself says; empty for a message."""
    return (message.headers or {}).get("Status", "") if not message.data else ""
