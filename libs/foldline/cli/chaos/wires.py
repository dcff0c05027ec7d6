"""Connections that can be cut: each program reaches NATS and Postgres through a port of ours.

A cut wire is either broken (its connections end, new ones are closed at once) or silent: everything seems to
be connected, and nothing comes through. Silence is the worse of the two; only a time-out tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

from foldline.cli.stack.ports import LOOPBACK

CONNECT_SECONDS = 5.0


class Wire:
    """One way to one server, open inside `opened`."""

    def __init__(self, upstream: Callable[[], int], tasks: asyncio.TaskGroup) -> None:
        """`upstream` is the server's port, asked for at each connection."""
        self.port = 0
        self.is_broken = False
        self.is_silent = False
        self.ends: set[_End] = set()
        self._upstream = upstream
        self._tasks = tasks
        self._mended = asyncio.Event()
        self._mended.set()

    def cut(self, *, silent: bool) -> None:
        """Until `mend` nothing comes through."""
        self._mended.clear()
        self.is_silent, self.is_broken = silent, not silent
        for end in list(self.ends):
            if silent:
                end.hold()
            else:
                end.transport.abort()

    def mend(self) -> None:
        self.is_silent = self.is_broken = False
        self._mended.set()
        for end in self.ends:
            end.go_on()

    def accept(self) -> asyncio.Protocol:
        return _End(self, None)

    def join(self, end: _End) -> None:
        """Connect a program that has called."""
        if self.is_broken:
            end.transport.abort()
            return
        end.hold()
        self._tasks.create_task(self._join(end))

    async def _join(self, end: _End) -> None:
        await self._mended.wait()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                loop = asyncio.get_running_loop()
                await loop.create_connection(lambda: _End(self, end), LOOPBACK, self._upstream())
        except OSError:
            end.transport.abort()
            return
        if not self.is_silent:
            end.go_on()


class _End(asyncio.Protocol):
    """One of the two ends of a connection."""

    def __init__(self, wire: Wire, other: _End | None) -> None:
        self.transport: asyncio.Transport
        self.other = other
        self._wire = wire
        self._is_caller = other is None
        self.is_full = False  # the other end takes no more at the moment

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._wire.ends.add(self)
        if self.other is not None:
            self.other.other = self
            if self.other.transport.is_closing():
                self.transport.abort()
        if self._is_caller:
            self._wire.join(self)
        elif self._wire.is_silent:
            self.hold()

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            self.other.transport.write(data)

    def connection_lost(self, _: Exception | None) -> None:
        self._wire.ends.discard(self)
        if self.other is not None:
            self.other.transport.close()

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.is_full = True
            self.other.hold()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.is_full = False
            if not self._wire.is_silent:
                self.other.go_on()

    def hold(self) -> None:
        self.transport.pause_reading()

    def go_on(self) -> None:
        if self.other is not None and not self.is_full:
            self.transport.resume_reading()


Wires = Mapping[tuple[str, str], Wire]
"""By program and server."""

Ports = Callable[[str], int]
"""The port of a server."""


@asynccontextmanager
async def opened(
    ways: Sequence[tuple[str, str]], upstream: Ports, tasks: asyncio.TaskGroup
) -> AsyncIterator[dict[tuple[str, str], Wire]]:
    """A wire for each program and server."""
    loop = asyncio.get_running_loop()
    found: dict[tuple[str, str], Wire] = {}
    async with AsyncExitStack() as stack:
        for program, server in ways:
            wire = Wire(lambda server=server: upstream(server), tasks)  # type: ignore[misc]  # bound now
            listening = await loop.create_server(wire.accept, LOOPBACK, 0)
            stack.callback(listening.close)
            wire.port = listening.sockets[0].getsockname()[1]
            found[program, server] = wire
        yield found
        for wire in found.values():
            wire.cut(silent=False)


def options(wires: Wires) -> dict[str, dict[str, int]]:
    """As the options of an installation take them."""
    ports: dict[str, dict[str, int]] = {}
    for (program, server), wire in wires.items():
        ports.setdefault(program, {})[server] = wire.port
    return ports
