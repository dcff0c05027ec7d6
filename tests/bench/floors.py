"""What the machine itself takes for the parts of a step: no platform can be faster. Medians, in ms.

Those of processes and files need nothing; the others are measured on the installation's own servers.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import nats
from grpc_health.v1 import health_pb2, health_pb2_grpc
from nats.aio.client import Client as NatsClient
from nats.aio.msg import Msg
from nats.js import api

from foldline.chassis import channels
from tests.bench.installation import Installation

COUNT = 200
NAMES = {
    "fork": "fork a process with libraries loaded, and wait for its end",
    "fsync": "write 200 bytes and fsync",
    "commit_one_row": "insert a row of 200 bytes and commit",
    "commit_three_rows": "insert three rows in one statement and commit",
    "row_of_hundred": "one row of a hundred in one statement",
    "nats_request": "request and reply over core NATS",
    "jetstream_publish": "publish to a stream on disk, to its acknowledgement",
    "grpc_unary": "a unary call of the gateway",
}

Action = Callable[[], Awaitable[object]]


def of_machine(folder: Path) -> dict[str, float]:
    """fork and fsync, in ms. Call it before a client is open: a fork of gRPC's threads is another thing."""
    with (folder / "floor").open("wb") as file:

        def write() -> None:
            file.write(b"x" * 200)
            file.flush()
            os.fsync(file.fileno())

        return {"fork": _median(_fork), "fsync": _median(write)}


async def of_servers(installation: Installation) -> dict[str, float]:
    """The others, in ms."""
    found: dict[str, float] = {}
    async with AsyncExitStack() as stack:
        for opened in (_postgres, _nats, _gateway):
            for name, action in (await stack.enter_async_context(opened(installation))).items():
                found[name] = await _awaited(action)
    found["row_of_hundred"] = found["row_of_hundred"] / 100
    return {name: round(value, 4) for name, value in found.items()}


@asynccontextmanager
async def _postgres(installation: Installation) -> AsyncIterator[dict[str, Action]]:
    """In another database than the platform's, so that its sizes stay its own."""
    connection = await asyncpg.connect(installation.dsn("postgres"))
    try:
        await connection.execute("create table if not exists floor (number bigserial primary key, text text)")
        insert = await connection.prepare("insert into floor (text) select unnest($1::text[])")
        texts = ["x" * 200]
        yield {
            "commit_one_row": lambda: insert.fetch(texts),
            "commit_three_rows": lambda: insert.fetch(texts * 3),
            "row_of_hundred": lambda: insert.fetch(texts * 100),
        }
        await connection.execute("drop table floor")
    finally:
        await connection.close()


@asynccontextmanager
async def _nats(installation: Installation) -> AsyncIterator[dict[str, Action]]:
    """Two clients, as scheduler and executor are."""
    asking, answering = [await nats.connect(installation.nats) for _ in range(2)]
    body = b"x" * 200

    async def answer(message: Msg) -> None:
        await message.respond(body)

    try:
        await answering.subscribe("bench.request", cb=answer)
        await answering.flush()
        stream = asking.jetstream()
        await stream.add_stream(api.StreamConfig(name="BENCH", subjects=["bench.stream"]))
        yield {
            "nats_request": lambda: asking.request("bench.request", body),
            "jetstream_publish": lambda: stream.publish("bench.stream", body),
        }
        await stream.delete_stream("BENCH")
    finally:
        await _close(asking, answering)


async def _close(*clients: NatsClient) -> None:
    for client in clients:
        await client.close()


@asynccontextmanager
async def _gateway(installation: Installation) -> AsyncIterator[dict[str, Action]]:
    where = installation.client
    async with channels.channel(where["server"], where["token"]) as channel:
        stub = health_pb2_grpc.HealthStub(channel)

        async def check() -> None:
            await stub.Check(health_pb2.HealthCheckRequest())

        yield {"grpc_unary": check}


async def _awaited(action: Action) -> float:
    await action()
    samples = []
    for _ in range(COUNT):
        began = time.perf_counter()
        await action()
        samples.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0)
    return statistics.median(samples)


def _median(action: Callable[[], None]) -> float:
    samples = []
    for _ in range(COUNT):
        began = time.perf_counter()
        action()
        samples.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(samples), 4)


def _fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
