"""A recorder on real Postgres and NATS, in the process of the test, with a client."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import grpc
import pytest

from foldline.access import tokens
from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.api.recorder.v1.recorder_service_pb2_grpc import RecorderServiceStub
from foldline.artifacts.folder import FolderStore
from foldline.bus import jetstream
from foldline.bus.port import Bus
from foldline.chassis import rpc
from foldline.chassis.clock import SystemClock
from foldline.chassis.lifecycle import Lifecycle
from foldline.chassis.settings import Secret
from foldline.eventstore.port import EventStore
from foldline.eventstore.postgres import PostgresEventStore
from foldline.pg import connect
from foldline.pg.connect import Pool
from foldline_recorder import app
from foldline_recorder.settings import Settings

if TYPE_CHECKING:  # the generated stub of asynchronous channels has a type of its own, and no class
    from foldline.api.recorder.v1.recorder_service_pb2_grpc import RecorderServiceAsyncStub

T = TypeVar("T")

KEY = "a key of at least thirty-two bytes!"


class Desk(NamedTuple):
    """The client's side, and what a test writes with."""

    stub: RecorderServiceAsyncStub
    address: str
    store: EventStore
    bus: Bus
    artifacts: FolderStore
    pool: Pool
    life: Lifecycle

    async def listed(self, **request: Any) -> list[pb.Run]:
        answer = await self.stub.ListRuns(pb.ListRunsRequest(**{"workspace": "lab", **request}))
        return list(answer.runs)


def token(grants: Mapping[str, str]) -> str:
    return tokens.issue(
        Secret(KEY), subject="ada", grants=dict(grants), ttl_seconds=3600, now=SystemClock().now()
    )


async def refused(call: Awaitable[object], code: grpc.StatusCode) -> str:
    """The message with which a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    assert error.value.code() == code
    return error.value.details() or ""


async def read_all(call: AsyncIterable[T]) -> list[T]:
    return [answer async for answer in call]


@asynccontextmanager
async def open_desk(database: str, nats: str, folder: Path) -> AsyncIterator[Desk]:
    """Start the recorder; leave it in good order."""
    settings = Settings(
        postgres=Secret(database), nats=Secret(nats), artifacts=str(folder), token_key=Secret(KEY)
    )
    life = Lifecycle()
    async with (
        connect.pool(database, role="foldline_recorder", name="recorder") as pool,
        connect.pool(database, role="foldline_scheduler", name="writer") as writing,
        PostgresEventStore(pool, database) as store,
        PostgresEventStore(writing, database) as written,
        jetstream.connect(nats, name="recorder") as bus,
    ):
        artifacts = FolderStore(folder)
        async with app.serve(settings, life, pool=pool, store=store, bus=bus, artifacts=artifacts) as port:
            address = f"127.0.0.1:{port}"
            async with rpc.channel(address, token({"lab": "viewer"})) as channel:
                yield Desk(RecorderServiceStub(channel), address, written, bus, artifacts, pool, life)
            life.stop.set()
