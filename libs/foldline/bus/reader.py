"""A durable reader of a kept stream: fetch, handle, acknowledge; redeliver what fails, park what is poison.

The server is told to redeliver without end and the counting is done here, so that no message is ever
dropped without being parked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api

from foldline.bus import streams
from foldline.bus.connection import Connection
from foldline.bus.delivery import Park, reason_of
from foldline.bus.failures import LOST
from foldline.bus.port import Consumer, Handler, Message, Poison
from foldline.chassis import background
from foldline.domain.errors import FoldlineError, Kind

_BATCH = 16
_FETCH_SECONDS = 5.0
_PAUSE_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 30.0

log = structlog.get_logger()


class Reader:
    def __init__(self, connection: Connection, consumer: Consumer, handler: Handler, park: Park) -> None:
        self._connection = connection
        self._consumer = consumer
        self._handler = handler
        self._park = park

    async def run(self) -> None:
        """Read for ever, over losses of the connection and of the stream."""
        while True:
            await self._connection.wait_up()
            try:
                await self._read(self._connection.client)
            except LOST as error:
                log.debug("bus_reader_waits", consumer=self._consumer.name, error=str(error))
            except FoldlineError as error:
                if error.kind is not Kind.UNAVAILABLE:
                    raise
            except asyncio.CancelledError:
                # The client cancels what waits for its messages when it closes. That is not for us.
                if _is_cancelled():
                    raise
            await asyncio.sleep(_PAUSE_SECONDS)

    async def declare(self, client: Client) -> JetStreamContext:
        """Create the streams and the durable consumer where they are missing."""
        stream = client.jetstream()
        await streams.declare(stream)
        await stream.add_consumer(
            streams.EVENTS,
            api.ConsumerConfig(
                durable_name=self._consumer.name,
                filter_subject=self._consumer.subject,
                ack_policy=api.AckPolicy.EXPLICIT,
                ack_wait=self._consumer.ack_wait_seconds,
                max_deliver=-1,
            ),
        )
        return stream

    async def _read(self, client: Client) -> None:
        stream = await self.declare(client)
        inbox = await stream.pull_subscribe_bind(self._consumer.name, stream=streams.EVENTS)
        try:
            while True:
                try:
                    messages = await inbox.fetch(_BATCH, timeout=_FETCH_SECONDS)
                except TimeoutError:
                    # Nothing new, or nobody there any more: a deleted consumer does not answer either.
                    await stream.consumer_info(streams.EVENTS, self._consumer.name)
                    continue
                await self._handle_all(messages)
        finally:
            if client.is_connected:
                await inbox.unsubscribe()

    async def _handle_all(self, messages: Sequence[Msg]) -> None:
        waiting = list(messages)
        async with background.tasks() as tasks:
            tasks.create_task(self._hold(waiting))
            while waiting:
                await self._handle(waiting[0])
                waiting.pop(0)

    async def _hold(self, waiting: Sequence[Msg]) -> None:
        """Tell the server that we still work on these, so that it gives them to nobody else."""
        while True:
            await asyncio.sleep(self._consumer.ack_wait_seconds / 3)
            for message in list(waiting):
                await message.in_progress()

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
                await self._park(message, reason_of(error))
                await received.term()
            else:
                await received.nak(delay=min(0.1 * 4 ** (delivered - 1), _LONGEST_DELAY_SECONDS))
        else:
            await received.ack()


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
