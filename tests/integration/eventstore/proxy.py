"""A TCP proxy that loses what a test wants lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from foldline.cli.stack.ports import LOOPBACK

Loss = Literal["request", "answer"]


class Proxy:
    """Passes bytes on. Once armed, the first connection that carries `marker` loses something and is cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._marker = b""
        self._loss: Loss = "request"
        self._then: Callable[[], Awaitable[None]] | None = None
        self._refusing = False
        self._writers: set[asyncio.StreamWriter] = set()
        self.cuts = 0

    def lose(self, loss: Loss, marker: bytes, then: Callable[[], Awaitable[None]] | None = None) -> None:
        """Lose the request that holds `marker`, or the answer to it; then cut the connection.

        `then` runs between the loss and the cut, so before the client knows.
        """
        self._loss, self._marker, self._then = loss, marker, then

    def refuse(self, refusing: bool = True) -> None:
        """Cut everything and let nobody in, or stop doing so."""
        self._refusing = refusing
        if refusing:
            for writer in list(self._writers):
                writer.close()

    def _is_refusing(self) -> bool:
        return self._refusing

    async def serve(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        if self._is_refusing():
            client_out.close()
            return
        server_in, server_out = await asyncio.open_connection(LOOPBACK, self._port)
        if self._is_refusing():  # since we looked
            client_out.close()
            server_out.close()
            return
        self._writers |= {client_out, server_out}
        doomed = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._requests(client_in, server_out, client_out, doomed))
                tasks.create_task(self._answers(server_in, client_out, server_out, doomed))
        except* OSError:
            pass
        finally:
            self._writers -= {client_out, server_out}
            client_out.close()
            server_out.close()

    async def _requests(
        self,
        client_in: asyncio.StreamReader,
        server_out: asyncio.StreamWriter,
        client_out: asyncio.StreamWriter,
        doomed: asyncio.Event,
    ) -> None:
        while data := await client_in.read(65536):
            if self._marker and self._marker in data:
                self._marker = b""
                if self._loss == "request":
                    await self._cut(client_out, server_out)
                    return
                doomed.set()
            server_out.write(data)
            await server_out.drain()
        server_out.close()

    async def _answers(
        self,
        server_in: asyncio.StreamReader,
        client_out: asyncio.StreamWriter,
        server_out: asyncio.StreamWriter,
        doomed: asyncio.Event,
    ) -> None:
        while data := await server_in.read(65536):
            if doomed.is_set():
                await self._cut(client_out, server_out)
                return
            client_out.write(data)
            await client_out.drain()
        client_out.close()

    async def _cut(self, *writers: asyncio.StreamWriter) -> None:
        self.cuts += 1
        if self._then is not None:
            await self._then()
        for writer in writers:
            writer.close()


@asynccontextmanager
async def in_front_of(dsn: str) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy and the DSN that leads through it."""
    parts = urlsplit(dsn)
    assert parts.port is not None
    proxy = Proxy(parts.port)
    server = await asyncio.start_server(proxy.serve, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    through = parts._replace(netloc=parts.netloc.rpartition(":")[0] + f":{port}")
    try:
        yield proxy, urlunsplit(through)
    finally:
        proxy.refuse()
        server.close()
