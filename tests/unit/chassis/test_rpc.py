"""The server and the channel against each other, with the executor's small service as the guinea pig."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct
from google.rpc import code_pb2, status_pb2  # type: ignore[import-untyped]  # ships no stubs
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from foldline.chassis import observe, rpc
from foldline.chassis.handlers import Context
from foldline.chassis.lifecycle import Lifecycle

NAME = "foldline.test.v1.EchoService"
PING, COUNT = f"/{NAME}/Ping", f"/{NAME}/Count"
SERVING = health_pb2.HealthCheckResponse.SERVING
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

Ping = Callable[[Struct, Context], Awaitable[Struct]]
Count = Callable[[Struct, Context], AsyncIterator[Struct]]


class OurError(Exception):
    pass


async def echo(request: Struct, _context: Context) -> Struct:
    return request


async def three(request: Struct, _context: Context) -> AsyncIterator[Struct]:
    for _ in range(3):
        yield request


def translate(error: Exception) -> status_pb2.Status | None:
    if not isinstance(error, OurError):
        return None
    status = status_pb2.Status(code=code_pb2.NOT_FOUND, message=str(error))
    status.details.add().Pack(Struct())
    return status


def service(ping: Ping = echo, count: Count = three) -> rpc.Service:
    handlers: dict[str, Any] = {
        "Ping": grpc.unary_unary_rpc_method_handler(ping, Struct.FromString, Struct.SerializeToString),
        "Count": grpc.unary_stream_rpc_method_handler(
            count,
            Struct.FromString,
            Struct.SerializeToString,
        ),
    }

    def add(_servicer: object, server: Any) -> None:
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))

    return rpc.Service(NAME, add, None)


@asynccontextmanager
async def serving(
    ping: Ping = echo, count: Count = three, life: Lifecycle | None = None
) -> AsyncIterator[grpc.aio.Channel]:
    life = life or Lifecycle()
    life.ready.set()
    async with (
        rpc.serve("127.0.0.1:0", [service(ping, count)], life=life, translate=translate) as port,
        rpc.channel(f"127.0.0.1:{port}", "hush") as channel,
    ):
        yield channel


def _ping(channel: grpc.aio.Channel, **values: Any) -> Any:
    request = Struct()
    request.update(values)
    return channel.unary_unary(PING, Struct.SerializeToString, Struct.FromString)(request)


def _count(channel: grpc.aio.Channel) -> Any:
    return channel.unary_stream(COUNT, Struct.SerializeToString, Struct.FromString)(Struct())


async def test_calls_are_answered() -> None:
    async with serving() as channel:
        assert (await _ping(channel, a=1))["a"] == 1
        assert len([reply async for reply in _count(channel)]) == 3


async def test_an_error_of_ours_becomes_its_status_with_details() -> None:
    async def ping(_request: Struct, _context: Context) -> Struct:
        raise OurError("no such run")

    async with serving(ping) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _ping(channel)

    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.NOT_FOUND, "no such run")
    assert "grpc-status-details-bin" in str(caught.value.trailing_metadata())


async def test_an_error_in_the_middle_of_a_stream_becomes_its_status() -> None:
    async def count(request: Struct, _context: Context) -> AsyncIterator[Struct]:
        yield request
        raise OurError("gone")

    async with serving(count=count) as channel:
        stream = _count(channel)
        first = await stream.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.read()

    assert first == Struct()
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_any_other_error_is_internal_and_leaks_nothing() -> None:
    async def ping(_request: Struct, _context: Context) -> Struct:
        raise KeyError("password=hush")

    async with serving(ping) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _ping(channel)

    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "hush" not in str(caught.value.details())


async def test_a_servicer_may_abort_by_itself() -> None:
    async def ping(_request: Struct, context: Context) -> Struct:
        await context.abort(grpc.StatusCode.OUT_OF_RANGE, "too far")

    async with serving(ping) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _ping(channel)

    assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE


async def test_a_stream_may_write_by_itself() -> None:
    async def count(request: Struct, context: Context) -> None:
        await context.write(request)
        await context.write(request)

    async with serving(count=count) as channel:  # type: ignore[arg-type]  # grpc.aio's other style
        assert len([reply async for reply in _count(channel)]) == 2


async def test_token_and_trace_travel_with_every_call_and_each_has_an_id() -> None:
    seen: list[dict[str, Any]] = []

    async def ping(request: Struct, context: Context) -> Struct:
        metadata: dict[str, Any] = dict(context.invocation_metadata() or ())
        seen.append({**metadata, "trace": observe.trace(), "correlation": observe.correlation()})
        return request

    async with serving(ping) as channel:
        observe.enter("c", TRACE)
        await _ping(channel)
        await _ping(channel)

    assert [call["authorization"] for call in seen] == ["Bearer hush"] * 2
    assert [call["trace"] for call in seen] == [TRACE] * 2
    assert len({call["correlation"] for call in seen} - {"c", ""}) == 2


async def test_a_trace_that_is_none_is_not_taken_over() -> None:
    seen: list[str] = []

    async def ping(request: Struct, _context: Context) -> Struct:
        seen.append(observe.trace())
        return request

    async with serving(ping) as channel:
        observe.enter("c", "'; drop table events")
        await _ping(channel)

    assert seen == [""]


async def test_a_unary_call_has_a_deadline_even_when_nobody_set_one() -> None:
    left: list[float] = []

    async def ping(request: Struct, context: Context) -> Struct:
        left.append(context.time_remaining())
        return request

    async with serving(ping) as channel:
        await _ping(channel)

    assert 0 < left[0] <= 31


async def test_messages_of_more_than_16_mib_pass() -> None:
    text = "x" * (17 * 1024 * 1024)

    async with serving() as channel:
        assert len((await _ping(channel, text=text))["text"]) == len(text)


async def test_a_cancelled_call_ends_in_the_server() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def ping(request: Struct, _context: Context) -> Struct:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return request

    async with serving(ping) as channel, asyncio.timeout(10):
        call = _ping(channel)
        waiting = asyncio.ensure_future(call.code())
        await began.wait()
        call.cancel()
        await ended.wait()
        assert await waiting is grpc.StatusCode.CANCELLED


async def test_a_port_that_is_taken_is_an_error() -> None:
    life = Lifecycle()
    async with rpc.serve("127.0.0.1:0", [], life=life, translate=translate) as port:
        with pytest.raises(RuntimeError, match=str(port)):
            async with rpc.serve(f"127.0.0.1:{port}", [], life=life, translate=translate):
                pass


async def test_reflection_lists_the_services() -> None:
    async with serving() as channel:
        ask = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
        requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        [reply] = [reply async for reply in ask(requests)]

    names = {service.name for service in reply.list_services_response.service}
    assert {NAME, "grpc.health.v1.Health"} <= names


async def test_health_follows_readiness_and_checks() -> None:
    life, problems = Lifecycle(), ["down"]

    async def ledger() -> None:
        if problems:
            raise ConnectionError

    life.checks.add("ledger", ledger)
    async with serving(life=life) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        failing = await health.Check(health_pb2.HealthCheckRequest())
        problems.clear()
        well = await health.Check(health_pb2.HealthCheckRequest(service=NAME))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health.Check(health_pb2.HealthCheckRequest(service="nobody"))

    assert (failing.status, well.status) == (NOT_SERVING, SERVING)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.skipif(not hasattr(health_pb2, "HealthListRequest"), reason="this grpcio has no Health.List")
async def test_health_lists_every_service() -> None:
    async with serving() as channel:
        listed = await health_pb2_grpc.HealthStub(channel).List(health_pb2.HealthListRequest())

    assert {name: answer.status for name, answer in listed.statuses.items()} == {"": SERVING, NAME: SERVING}


async def test_health_turns_bad_before_the_drain_while_calls_still_finish() -> None:
    life, began, finish = Lifecycle(), asyncio.Event(), asyncio.Event()

    async def ping(request: Struct, _context: Context) -> Struct:
        began.set()
        await finish.wait()
        return request

    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks, _lasting(life, ping) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        first = await watch.read()
        call = tasks.create_task(_code(_ping(channel)))
        watching = tasks.create_task(_set_when_bad(watch, finish))
        await began.wait()

    assert first.status == SERVING
    assert watching.result() == [NOT_SERVING]
    assert call.result() is grpc.StatusCode.OK


async def test_a_signal_turns_health_bad_at_once() -> None:
    life = Lifecycle()
    async with serving(life=life) as channel, asyncio.timeout(10):
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=NAME))
        first = await watch.read()
        life.stop.set()
        second = await watch.read()

    assert (first.status, second.status) == (SERVING, NOT_SERVING)


async def test_an_idle_stream_ends_with_a_hint_to_connect_again() -> None:
    cleaned = asyncio.Event()

    async def count(request: Struct, _context: Context) -> AsyncIterator[Struct]:
        try:
            yield request
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        start = time.monotonic()
        async with _lasting(Lifecycle(), count=count) as channel:
            stream = _count(channel)
            await stream.read()
            code = tasks.create_task(stream.code())
        seconds = time.monotonic() - start

    assert code.result() is grpc.StatusCode.UNAVAILABLE
    assert cleaned.is_set()
    assert seconds < rpc.GRACE_SECONDS - 1


async def test_an_active_stream_finishes_its_download() -> None:
    sent: list[int] = []

    async def count(request: Struct, _context: Context) -> AsyncIterator[Struct]:
        end = time.monotonic() + 2 * rpc.IDLE_SECONDS
        while time.monotonic() < end:
            sent.append(1)
            yield request

    async with (
        asyncio.timeout(10),
        asyncio.TaskGroup() as tasks,
        _lasting(Lifecycle(), count=count) as channel,
    ):
        stream = _count(channel)
        await stream.read()
        rest = tasks.create_task(_collect(stream))

    assert len(rest.result()) == len(sent) - 1


@asynccontextmanager
async def _lasting(
    life: Lifecycle, ping: Ping = echo, count: Count = three
) -> AsyncIterator[grpc.aio.Channel]:
    """As `serving`, but the channel outlives the server, so that clients see the drain."""
    life.ready.set()
    async with rpc.serve("127.0.0.1:0", [service(ping, count)], life=life, translate=translate) as port:
        yield grpc.aio.insecure_channel(f"127.0.0.1:{port}")


async def _code(call: Any) -> grpc.StatusCode:
    code: grpc.StatusCode = await call.code()
    return code


async def _collect(stream: Any) -> list[Struct]:
    replies = []
    while isinstance(reply := await stream.read(), Struct):
        replies.append(reply)
    return replies


async def _set_when_bad(watch: Any, event: asyncio.Event) -> list[int]:
    statuses = []
    while isinstance(answer := await watch.read(), health_pb2.HealthCheckResponse):
        statuses.append(answer.status)
        event.set()
    return statuses


@asynccontextmanager
async def slow_way(port: int, seconds: float) -> AsyncIterator[int]:
    """A port in front of another on which everything arrives later, as far away or on a busy machine."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while received := await reader.read(65536):
                await asyncio.sleep(seconds)
                writer.write(received)
        writer.close()

    ways: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way = asyncio.current_task()
        assert way is not None
        ways.add(way)
        behind, before = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(pass_on(reader, before), pass_on(behind, writer))
        finally:
            for one in (before, writer):
                one.close()
            await asyncio.gather(before.wait_closed(), writer.wait_closed(), return_exceptions=True)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def test_a_server_that_is_slow_to_answer_a_new_connection_is_waited_for() -> None:
    life = Lifecycle()
    life.ready.set()
    request = Struct()
    request["x"] = 1
    async with (
        rpc.serve("127.0.0.1:0", [service()], life=life, translate=translate) as port,
        slow_way(port, 0.5) as slow,
        rpc.channel(f"127.0.0.1:{slow}") as channel,
    ):
        ping = channel.unary_unary(
            PING, request_serializer=Struct.SerializeToString, response_deserializer=Struct.FromString
        )
        assert await ping(request) == request
