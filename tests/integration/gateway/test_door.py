"""The gRPC front door: every service behind one port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tests.integration.gateway.backend import METHODS, RUNS, Backend
from tests.integration.gateway.callers import EVERYWHERE, token

from foldline.api.recorder.v1 import recorder_service_pb2 as recorder
from foldline.api.recorder.v1.recorder_service_pb2_grpc import RecorderServiceStub
from foldline.api.registry.v1 import workflow_service_pb2 as workflows
from foldline.api.registry.v1.workflow_service_pb2_grpc import WorkflowServiceStub
from foldline.chassis import rpc
from foldline.domain.errors import FoldlineError, Kind
from foldline.wire import failures
from foldline_gateway.app import Ports


@pytest.fixture
async def door(ports: Ports) -> AsyncIterator[grpc.aio.Channel]:
    async with rpc.channel(f"127.0.0.1:{ports.grpc}", token({EVERYWHERE: "admin"})) as channel:
        yield channel


async def test_every_rpc_passes(door: grpc.aio.Channel, backend: Backend) -> None:
    sent = []
    for path, method in METHODS.items():
        fields = {"workspace": "lab"} if "workspace" in method.request.DESCRIPTOR.fields_by_name else {}
        request = method.request(**fields)
        kind: Any = door.unary_stream if method.streaming else door.unary_unary
        call = kind(path, method.request.SerializeToString, method.reply.FromString)
        replies = [reply async for reply in call(request)] if method.streaming else [await call(request)]
        assert replies == [method.reply()], path
        sent.append((path, request))

    assert [(call.path, call.request) for call in backend.calls] == sent


async def test_the_caller_stays_the_caller(ports: Ports, backend: Backend) -> None:
    own = token({"lab": "viewer"})
    async with rpc.channel(f"127.0.0.1:{ports.grpc}", own) as channel:
        await RecorderServiceStub(channel).GetRun(recorder.GetRunRequest(workspace="lab"), timeout=5)

    (call,) = backend.calls
    assert call.metadata["authorization"] == f"Bearer {own}"
    assert call.seconds_left is not None
    assert 4 < call.seconds_left < 5.5  # gRPC rounds up what is left


async def test_an_error_of_a_service_arrives_whole(door: grpc.aio.Channel, backend: Backend) -> None:
    backend.refuse(RUNS + "GetRun", FoldlineError(Kind.NOT_FOUND, "RUN_UNKNOWN", "no run r-1", run="r-1"))

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await RecorderServiceStub(door).GetRun(recorder.GetRunRequest(workspace="lab"))

    error = failures.from_rpc_error(caught.value)
    assert (error.kind, error.reason, error.message) == (Kind.NOT_FOUND, "RUN_UNKNOWN", "no run r-1")
    assert error.fields == {"run": "r-1"}


async def test_a_role_that_is_too_low_is_refused_here(ports: Ports, backend: Backend) -> None:
    async with rpc.channel(f"127.0.0.1:{ports.grpc}", token({"shop": "admin"})) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await RecorderServiceStub(channel).GetRun(recorder.GetRunRequest(workspace="lab"))

    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert backend.calls == []


async def test_a_client_that_leaves_ends_the_stream_at_the_backend(
    door: grpc.aio.Channel, backend: Backend
) -> None:
    ended = asyncio.Event()

    async def endless(_request: Any, _context: Any) -> AsyncIterator[recorder.WatchRunResponse]:
        try:
            yield recorder.WatchRunResponse()
            await asyncio.Event().wait()
        finally:
            ended.set()

    backend.stream(RUNS + "WatchRun", endless)
    call = RecorderServiceStub(door).WatchRun(recorder.WatchRunRequest(workspace="lab"))
    await call.read()
    call.cancel()

    async with asyncio.timeout(5):
        await ended.wait()


async def test_health_is_open_and_names_every_service(ports: Ports) -> None:
    async with rpc.channel(f"127.0.0.1:{ports.grpc}") as channel:
        reply = await health_pb2_grpc.HealthStub(channel).List(health_pb2.HealthListRequest())

    assert {method.service for method in METHODS.values()} <= set(reply.statuses)


async def test_reflection_shows_every_service(ports: Ports) -> None:
    def ask() -> set[str]:
        with grpc.insecure_channel(f"127.0.0.1:{ports.grpc}") as channel:
            return set(ProtoReflectionDescriptorDatabase(channel).get_services())

    names = await asyncio.to_thread(ask)

    assert {method.service for method in METHODS.values()} <= names


async def test_a_bundle_of_16_mib_passes(door: grpc.aio.Channel, backend: Backend) -> None:
    bundle = bytes(16 * 1024 * 1024)
    request = workflows.CreateReleaseRequest(workspace="lab", bundle=bundle)

    await WorkflowServiceStub(door).CreateRelease(request)

    assert backend.calls[0].request.bundle == bundle
