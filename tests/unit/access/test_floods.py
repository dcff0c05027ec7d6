"""What comes in masses is refused without being taken in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from tests.waiting import until

from foldline.access import tokens
from foldline.access.admission import Admission
from foldline.access.interceptor import AccessInterceptor
from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
from foldline.api.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from foldline.chassis import rpc
from foldline.chassis.channels import channel
from foldline.chassis.lifecycle import Lifecycle
from foldline.domain.errors import FoldlineError, Kind
from foldline.sdk.calls import ask
from foldline.wire import failures

KEY = "k" * 32
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = tokens.issue(KEY, subject="ada", grants={"*": "admin"}, ttl_seconds=60, now=NOW)
NAME = "foldline.api.scheduler.v1.SchedulerService"


class StoppedClock:
    def now(self) -> datetime:
        return NOW


class Server:
    """StartRun alone; it answers when it is let."""

    def __init__(self) -> None:
        self.read = 0
        self.waiting = 0
        self.go_on = asyncio.Event()

    def add(self, _servicer: object, server: Any) -> None:
        method = grpc.unary_unary_rpc_method_handler(
            self._answer, self._read, pb.StartRunResponse.SerializeToString
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, {"StartRun": method}),))

    def _read(self, content: bytes) -> pb.StartRunRequest:
        self.read += 1
        return pb.StartRunRequest.FromString(content)

    async def _answer(self, request: pb.StartRunRequest, _context: Any) -> pb.StartRunResponse:
        self.waiting += 1
        await self.go_on.wait()
        return pb.StartRunResponse(run_id=request.request_id)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def port(server: Server) -> AsyncIterator[int]:
    life = Lifecycle()
    life.ready.set()
    async with rpc.serve(
        "127.0.0.1:0",
        [rpc.Service(NAME, server.add, server)],
        life=life,
        translate=failures.to_status,
        interceptors=[AccessInterceptor(KEY, StoppedClock(), Admission(8))],
    ) as bound:
        yield bound
        server.go_on.set()


async def test_a_request_with_a_wrong_token_is_refused_without_being_read(server: Server, port: int) -> None:
    large = pb.StartRunRequest(workspace="lab", workflow="w" * 8_000_000)

    async with channel(f"127.0.0.1:{port}", "wrong") as opened:
        calls = [ask(SchedulerServiceStub(opened).StartRun, large) for _ in range(5)]
        answers = await asyncio.gather(*calls, return_exceptions=True)

    assert [one.kind for one in answers if isinstance(one, FoldlineError)] == [Kind.UNAUTHENTICATED] * 5
    assert server.read == 0


async def test_clients_that_are_refused_come_again_and_all_get_through(server: Server, port: int) -> None:
    async with channel(f"127.0.0.1:{port}", TOKEN) as opened:
        start = SchedulerServiceStub(opened).StartRun
        asked = [
            asyncio.ensure_future(ask(start, pb.StartRunRequest(workspace="flood", request_id=str(number))))
            for number in range(12)
        ]
        await until(lambda: server.waiting == 4)
        refused = grpc.StatusCode.OK
        try:
            await start(pb.StartRunRequest(workspace="flood"))
        except grpc.aio.AioRpcError as error:
            refused = error.code()
        other = asyncio.ensure_future(ask(start, pb.StartRunRequest(workspace="small", request_id="other")))
        await until(lambda: server.waiting == 5)

        server.go_on.set()

        assert refused is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await other).run_id == "other"
        assert [(await one).run_id for one in asked] == [str(number) for number in range(12)]
