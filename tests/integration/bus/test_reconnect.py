"""NATS goes away, loses everything and comes back: the bus goes on by itself."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from tests.conformance.bus import FACT, Inbox, consumer, fact, publish_facts
from tests.servers import Running
from tests.waiting import until

from foldline.bus import jetstream, streams, subjects
from foldline.bus.jetstream import JetStreamBus
from foldline.bus.port import Message
from foldline.chassis.clock import new_id
from foldline.cli.stack.nats import EmbeddedNats
from foldline.cli.stack.ports import LOOPBACK, free_port
from foldline.domain.errors import FoldlineError, Kind

Nats = Running[EmbeddedNats]


@pytest.fixture
async def bus(own_nats: Nats) -> AsyncIterator[JetStreamBus]:
    async with jetstream.connect(own_nats.server.url, name="test") as connected:
        yield connected


async def restart(server: Nats, wipe: Path | None = None) -> None:
    server.kill()
    if wipe is not None:
        shutil.rmtree(wipe)
    await asyncio.to_thread(server.start)


async def delivered(bus: JetStreamBus, subject: str, inbox: Inbox) -> None:
    """Publish until the subscriber has it, as our senders do."""

    async def try_once() -> bool:
        try:
            await bus.publish(subject, b"again")
        except FoldlineError as error:
            raise AssertionError(error.message) from error
        return bool(inbox.got)

    await until(try_once)


async def kept(bus: JetStreamBus, body: bytes) -> None:
    message_id = new_id()

    async def try_once() -> None:
        try:
            await bus.publish_fact(FACT, body, message_id=message_id)
        except FoldlineError as error:
            raise AssertionError(error.message) from error

    await until(try_once)


async def test_plain_subscriptions_survive_a_restart(bus: JetStreamBus, own_nats: Nats) -> None:
    inbox = Inbox()
    await bus.subscribe(subjects.work("s1"), inbox)

    await restart(own_nats)

    await delivered(bus, subjects.work("s1"), inbox)


async def test_a_connection_that_still_had_to_send_when_nats_was_killed_comes_back(
    bus: JetStreamBus, own_nats: Nats
) -> None:
    inbox = Inbox()
    await bus.subscribe(subjects.work("s1"), inbox)

    own_nats.pause()
    unsent = [asyncio.create_task(bus.publish(subjects.work("s2"), bytes(500_000))) for _ in range(40)]
    await asyncio.wait(unsent, timeout=1.0)
    await restart(own_nats)

    await delivered(bus, subjects.work("s1"), inbox)
    await asyncio.gather(*unsent, return_exceptions=True)


async def test_a_client_that_dies_without_a_word_is_replaced(bus: JetStreamBus) -> None:
    """As it does when its last words cannot be sent: its callbacks are not called then."""
    inbox = Inbox()
    await bus.subscribe(subjects.work("s1"), inbox)

    await bus._connection.client._close(Client.CLOSED, do_cbs=False)

    await delivered(bus, subjects.work("s1"), inbox)


async def test_readers_and_streams_survive_a_restart(bus: JetStreamBus, own_nats: Nats) -> None:
    inbox = Inbox()
    await bus.consume(consumer(), inbox)
    await publish_facts(bus, b"before")
    await until(lambda: inbox.bodies == [b"before"])

    await restart(own_nats)
    await kept(bus, b"after")

    # Longer than a reader waits before it takes the server's silence for a fault.
    await until(lambda: inbox.bodies == [b"before", b"after"], timeout=30)


async def test_wiped_storage_is_declared_again(bus: JetStreamBus, own_nats: Nats, tmp_path: Path) -> None:
    inbox = Inbox()
    await bus.consume(consumer(), inbox)
    await publish_facts(bus, b"before")
    await until(lambda: inbox.bodies == [b"before"])

    await restart(own_nats, wipe=tmp_path / "nats" / "storage")
    await kept(bus, b"after")

    # Longer than a reader waits before it takes the server's silence for a fault.
    await until(lambda: inbox.bodies == [b"before", b"after"], timeout=30)
    await bus.park(Message(FACT, b"x"), "reason")
    assert len(await bus.parked(10)) == 1


async def test_streams_deleted_under_a_living_connection_are_declared_again(
    bus: JetStreamBus, own_nats: Nats
) -> None:
    inbox = Inbox()
    await bus.consume(consumer(), inbox)
    operator = await nats.connect(own_nats.server.url)
    for stream in (streams.EVENTS, streams.PARKED):
        await operator.jetstream().delete_stream(stream)
    await operator.close()

    await bus.publish_facts([fact(b"after"), fact(b"that")])
    await bus.park(Message(FACT, b"x"), "reason")

    await until(lambda: inbox.bodies == [b"after", b"that"])


async def test_callbacks_run_after_each_reconnect_when_everything_is_set_up(
    bus: JetStreamBus, own_nats: Nats
) -> None:
    told: list[int] = []

    async def failing() -> None:
        raise RuntimeError("a callback that fails does not stop the others")

    async def on_reconnect() -> None:
        await bus.publish_fact(FACT, b"x", message_id=new_id())
        told.append(1)

    bus.on_reconnect(failing)
    bus.on_reconnect(on_reconnect)
    assert told == []

    for count in (1, 2):
        await restart(own_nats)
        await until(lambda count=count: len(told) == count)  # type: ignore[misc]


async def test_without_a_connection_publishing_is_unavailable(bus: JetStreamBus, own_nats: Nats) -> None:
    own_nats.kill()

    async def refused() -> None:
        with pytest.raises(FoldlineError) as failed:
            await bus.publish(subjects.HEARTBEAT, b"x")
        assert failed.value.kind is Kind.UNAVAILABLE

    async def noticed() -> None:
        try:
            await refused()
        except BaseException as error:  # pytest's own failure is no Exception
            raise AssertionError from error

    await until(noticed)
    for attempt in (
        bus.publish_fact(FACT, b"x", message_id="m"),
        bus.publish_facts([fact(b"x"), fact(b"y")]),
        bus.park(Message(FACT, b"x"), "reason"),
        bus.parked(1),
    ):
        with pytest.raises(FoldlineError) as failed:
            await attempt
        assert failed.value.kind is Kind.UNAVAILABLE


async def test_a_subscription_made_without_a_connection_works_later(
    bus: JetStreamBus, own_nats: Nats
) -> None:
    own_nats.kill()
    inbox = Inbox()
    await bus.subscribe(subjects.work("s1"), inbox)

    await asyncio.to_thread(own_nats.start)

    await delivered(bus, subjects.work("s1"), inbox)


async def test_a_handler_is_not_interrupted_by_a_lost_connection(bus: JetStreamBus, own_nats: Nats) -> None:
    started, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handle(message: Message) -> None:
        started.set()
        await go_on.wait()
        ended.set()

    await bus.subscribe(subjects.work("s1"), handle)
    await bus.publish(subjects.work("s1"), b"x")
    await started.wait()

    await restart(own_nats)
    go_on.set()

    await asyncio.wait_for(ended.wait(), 5)


async def test_a_server_that_never_answers_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jetstream, "_START_SECONDS", 0.3)

    with pytest.raises(FoldlineError) as failed:
        async with jetstream.connect(f"nats://token@{LOOPBACK}:{free_port()}", name="test"):
            pass

    assert failed.value.kind is Kind.UNAVAILABLE


async def test_a_wrong_token_is_named(own_nats: Nats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jetstream, "_START_SECONDS", 5.0)
    url = own_nats.server.url.replace("nats://", "nats://not-")

    with pytest.raises(FoldlineError, match="Authorization"):
        async with jetstream.connect(url, name="test"):
            pass


async def test_a_message_that_is_too_large_is_refused_with_its_size(bus: JetStreamBus) -> None:
    inbox = Inbox()
    await bus.subscribe(subjects.HEARTBEAT, inbox)
    body = b"x" * 9_000_000

    for attempt in (
        bus.publish(subjects.HEARTBEAT, body),
        bus.publish_fact(FACT, body, message_id="m"),
        bus.park(Message(FACT, body), "reason"),
    ):
        with pytest.raises(FoldlineError) as refused:
            await attempt
        assert refused.value.reason == "MESSAGE_TOO_LARGE"
        assert refused.value.fields["size"] == "9000000"

    # The connection has not suffered, and the largest message that is allowed gets through.
    largest = int(refused.value.fields["limit"])
    await bus.publish(subjects.HEARTBEAT, b"y" * largest)
    await until(lambda: len(inbox.got) == 1)


async def test_a_changed_declaration_is_brought_up_to_date(
    own_nats: Nats, bus: JetStreamBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, parked = streams.STREAMS
    monkeypatch.setattr(streams, "STREAMS", (replace(events, max_age=1234.0), parked))

    async with jetstream.connect(own_nats.server.url, name="newer"):
        operator = await nats.connect(own_nats.server.url)
        info = await operator.jetstream().stream_info(streams.EVENTS)
        await operator.close()

    assert info.config.max_age == 1234.0


async def test_a_long_handler_keeps_its_message(own_nats: Nats, bus: JetStreamBus) -> None:
    """It takes longer than the server waits for an acknowledgement."""
    inbox, second = Inbox(), Inbox()
    gate = asyncio.Event()

    async def slow(message: Message) -> None:
        await inbox(message)
        await gate.wait()

    reader = consumer()
    await bus.consume(reader, slow)
    await publish_facts(bus, b"1")
    await until(lambda: inbox.bodies == [b"1"])

    async with jetstream.connect(own_nats.server.url, name="other") as other:
        await other.consume(reader, second)
        loop = asyncio.get_running_loop()
        long_enough = loop.time() + 1.5 * reader.ack_wait_seconds
        await until(lambda: loop.time() > long_enough)
        gate.set()

    assert second.got == []
    assert inbox.bodies == [b"1"]
