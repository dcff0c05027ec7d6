"""uvicorn as an async context manager: our own signals, our own socket, an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from foldline.chassis import addresses, logs, loops
from foldline.chassis.calls import Streams

log = logs.logger()

GRACE_SECONDS = 3
_KEEP_ALIVE_SECONDS = 75
_BACKLOG = 512
_TICK_SECONDS = 1.0


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.leaving = asyncio.Event()

    async def main_loop(self) -> None:
        """Look at the clock (for the header Date) once a second; the original wakes ten times for that."""
        while not await self.on_tick(0):
            self.should_exit = await loops.wait(self.leaving, _TICK_SECONDS)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The lifecycle has the signals."""
        yield


@asynccontextmanager
async def serve(listen: str, app: Any, streams: Streams) -> AsyncIterator[int]:
    """Serve the ASGI application on `listen` ("host:port"; port 0 picks a free one); yield the bound port.

    Leaving it ends the open streams at once and gives everything else 3 seconds.
    """
    bound = _bind(listen)
    server = _Server(
        uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    port: int = bound.getsockname()[1]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve(sockets=[bound]))
        log.info("http_started", port=port)
        try:
            yield port
        finally:
            streams.draining.set()
            streams.end_idle(0)
            server.leaving.set()
    log.info("http_stopped", port=port)


def _bind(listen: str) -> socket.socket:
    host, port = addresses.split(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(_BACKLOG)  # from here on clients wait for uvicorn instead of being refused
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound
