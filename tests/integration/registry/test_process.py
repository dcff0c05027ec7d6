"""The registry as a process: settings from the environment, readiness, an orderly end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.integration.registry.installation import KEY, Client
from tests.waiting import until

from foldline.access import tokens
from foldline.chassis import rpc
from foldline.chassis.clock import SystemClock
from foldline.cli.stack.ports import free_port


@asynccontextmanager
async def process(**settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {**os.environ, **{f"FOLDLINE_{key.upper()}": text for key, text in settings.items()}}  # noqa: TID251 - the child's
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "foldline_registry",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


async def test_it_serves_until_it_is_told_to_stop(database: str, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    settings = {"postgres": database, "artifacts": str(tmp_path), "token_key": KEY.value, "listen": address}
    token = tokens.issue(KEY, subject="ada", grants={"*": "admin"}, ttl_seconds=60, now=SystemClock().now())
    async with process(**settings, log_format="json") as running, rpc.channel(address, token) as channel:

        async def is_serving() -> None:
            stub = health_pb2_grpc.HealthStub(channel)
            try:
                reply = await stub.Check(health_pb2.HealthCheckRequest())
            except grpc.aio.AioRpcError as error:
                raise AssertionError(error.details()) from error
            assert reply.status == health_pb2.HealthCheckResponse.SERVING

        await until(is_serving, 30)
        await Client(channel).make_workspace("lab")
        running.send_signal(signal.SIGTERM)
        output, _ = await asyncio.wait_for(running.communicate(), 30)

    assert running.returncode == 0, output.decode()
    assert b'"stream_appended"' in output
    assert b"Traceback" not in output


async def test_it_names_every_setting_that_is_missing() -> None:
    async with process() as running:
        output, _ = await asyncio.wait_for(running.communicate(), 30)

    assert running.returncode == 1
    for name in (b"FOLDLINE_POSTGRES", b"FOLDLINE_ARTIFACTS", b"FOLDLINE_TOKEN_KEY"):
        assert name in output
