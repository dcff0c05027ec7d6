"""From the bytes of a pipe to lines of text: bounded memory, whatever a step writes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence

from foldline.runtime.jobs import Line

LINE_LIMIT = 16 * 1024
"""Longer lines are cut here, with a note of how much is missing."""

_READ_BYTES = 64 * 1024


class Splitter:
    """Bytes in, whole lines out. A carriage return starts the line anew, as on a terminal."""

    def __init__(self) -> None:
        self._rest = b""
        self._lost = 0

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes."""
        first, *others = data.split(b"\n")
        if not others:
            self._keep(first)
            return []
        self._keep(first)
        lines = [self._take()]
        lines.extend(_text(part) for part in others[:-1])
        self._keep(others[-1])
        return lines

    def end(self) -> list[str]:
        """What is left when there is no more."""
        return [self._take()] if self._rest or self._lost else []

    def _keep(self, data: bytes) -> None:
        cut = data.rstrip(b"\r").rfind(b"\r")
        if cut >= 0:
            self._rest, self._lost, data = b"", 0, data[cut + 1 :]
        elif data and self._rest.endswith(b"\r"):
            self._rest, self._lost = b"", 0
        room = LINE_LIMIT - len(self._rest)
        self._rest += data[:room]
        self._lost += max(0, len(data) - room)

    def _take(self) -> str:
        rest, lost, self._rest, self._lost = self._rest, self._lost, b"", 0
        return _text(rest, lost)


def _text(data: bytes, lost: int = 0) -> str:
    data = data.rstrip(b"\r")
    cut = data.rfind(b"\r")
    if cut >= 0:
        data = data[cut + 1 :]
    if len(data) > LINE_LIMIT:
        data, lost = data[:LINE_LIMIT], lost + len(data) - LINE_LIMIT
    text = data.decode(errors="backslashreplace")
    return f"{text} … [{lost} more bytes cut]" if lost else text


async def pump(fd: int, stream: str, sink: Callable[[Sequence[Line]], Awaitable[None]]) -> None:
    """Read the pipe to its end. While `sink` is busy the pipe fills and the writer has to wait."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_READ_BYTES)
    file = os.fdopen(fd, "rb", buffering=0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    try:
        splitter = Splitter()
        while data := await reader.read(_READ_BYTES):
            if lines := splitter.feed(data):
                await sink([Line(stream, text) for text in lines])
        if lines := splitter.end():
            await sink([Line(stream, text) for text in lines])
    finally:
        transport.close()
