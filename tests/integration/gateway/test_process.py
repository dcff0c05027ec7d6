"""The gateway as a process: settings, readiness, an orderly end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from tests.integration.gateway.callers import KEY, everywhere
from tests.waiting import until

from foldline.cli.stack.ports import free_port


@asynccontextmanager
async def process(**settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    ours = os.environ  # noqa: TID251 - the child's
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "foldline_gateway",
        env={**ours, **{f"FOLDLINE_{key.upper()}": text for key, text in settings.items()}},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


def settings(**chosen: str) -> dict[str, str]:
    nobody = dict.fromkeys(("registry", "scheduler", "recorder", "executor"), "127.0.0.1:1")
    addresses = {name: f"127.0.0.1:{free_port()}" for name in ("listen", "http", "admin")}
    return {**nobody, **addresses, "token_key": KEY.value, "log_format": "json", **chosen}


async def test_it_serves_until_it_is_told_to_stop_even_with_no_service_behind_it() -> None:
    chosen = settings()
    async with process(**chosen) as running, httpx.AsyncClient(trust_env=False) as client:

        async def is_ready() -> None:
            try:
                reply = await client.get(f"http://{chosen['admin']}/readyz")
            except httpx.TransportError as error:
                raise AssertionError(str(error)) from error
            assert reply.status_code == 200

        await until(is_ready, 30)
        path = "/foldline.api.registry.v1.WorkspaceService/ListWorkspaces"
        reply = await client.post(f"http://{chosen['http']}{path}", json={}, headers=everywhere("admin"))
        assert reply.status_code == 503
        metrics = await client.get(f"http://{chosen['admin']}/metrics")
        running.send_signal(signal.SIGTERM)
        output, _ = await asyncio.wait_for(running.communicate(), 30)

    assert running.returncode == 0, output.decode()
    assert 'foldline_http_seconds_count{part="rpc",status="503"} 1.0' in metrics.text
    assert b"Traceback" not in output
    assert KEY.value.encode() not in output


async def test_it_names_every_setting_that_is_missing() -> None:
    async with process() as running:
        output, _ = await asyncio.wait_for(running.communicate(), 30)

    assert running.returncode == 1
    for name in (b"FOLDLINE_TOKEN_KEY", b"FOLDLINE_LISTEN", b"FOLDLINE_HTTP", b"FOLDLINE_REGISTRY"):
        assert name in output


async def test_a_port_that_is_taken_is_an_error_and_not_a_silent_share() -> None:
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    taken = server.sockets[0].getsockname()[1]
    async with server, process(**settings(http=f"127.0.0.1:{taken}")) as running:
        output, _ = await asyncio.wait_for(running.communicate(), 30)

    assert running.returncode == 1
    assert b"in use" in output
