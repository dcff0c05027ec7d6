"""From the bytes of a pipe to lines of text: bounded memory, whatever a step writes."""

from __future__ import annotations

import asyncio
import os
import time
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
        self._is_returned = False

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
        text = data.rstrip(b"\r")
        if text:
            cut = text.rfind(b"\r")
            if cut >= 0 or self._is_returned:
                self._rest, self._lost = b"", 0
            fresh = text[cut + 1 :]
            room = LINE_LIMIT - len(self._rest)
            self._rest += fresh[:room]
            self._lost += max(0, len(fresh) - room)
            self._is_returned = False
        # What follows a carriage return is not known yet: a newline, or the line anew.
        self._is_returned = self._is_returned or len(text) < len(data)

    def _take(self) -> str:
        rest, lost, self._rest, self._lost = self._rest, self._lost, b"", 0
        self._is_returned = False
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


class Pipe:
    """A pipe whose reading end is ours and whose `mouth` is given to a child process.

    Read with plain calls and not by a transport of the loop: uvloop's closes the descriptor twice, and by
    the second time it may be somebody else's.
    """

    def __init__(self, stream: str, rank: int = 0) -> None:
        self.heard = time.monotonic()
        """When something last came out of it."""
        self._stream = stream
        self._rank = rank
        self._fd, self.mouth = os.pipe()
        os.set_blocking(self._fd, False)

    def close_mouth(self) -> None:
        """The child has its own by now; the pipe ends when it closes that."""
        os.close(self.mouth)

    def close(self) -> None:
        """Only when nobody reads."""
        os.close(self._fd)

    async def read(self, sink: Callable[[Sequence[Line]], Awaitable[None]]) -> None:
        """Give all lines to `sink`. While that is busy the pipe fills and the writer has to wait."""
        splitter = Splitter()
        is_open = True
        while is_open:
            try:
                data = os.read(self._fd, _READ_BYTES)
            except BlockingIOError:
                await self._wait()
                continue
            self.heard = time.monotonic()
            is_open = data != b""
            if lines := splitter.feed(data) if is_open else splitter.end():
                await sink([Line(self._stream, text, self._rank) for text in lines])

    async def _wait(self) -> None:
        """Until there is something to read."""
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._fd, _resolve, ready)
        try:
            await ready
        finally:
            loop.remove_reader(self._fd)


def _resolve(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
