"""Listens to all pipes of one attempt, one batch of lines at a time: a writer has to wait for us."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence

from foldline.runtime.jobs import Line
from foldline.runtime.pipes import Splitter

STREAMS = ("stdout", "stderr", "note")

_READ_BYTES = 64 * 1024


class Ear:
    """The reading end of one pipe."""

    def __init__(self, stream: str, fd: int) -> None:
        self.fd = fd
        self._stream = stream
        self._splitter = Splitter()

    def hear(self) -> list[Line] | None:
        """The lines that there are now; None at the end of the pipe. BlockingIOError when it is empty."""
        data = os.read(self.fd, _READ_BYTES)
        return self._lines(self._splitter.feed(data)) if data else None

    def rest(self) -> list[Line]:
        """A last line without an end."""
        return self._lines(self._splitter.end())

    def _lines(self, texts: Sequence[str]) -> list[Line]:
        return [Line(self._stream, text) for text in texts]


class Ears:
    """For one attempt, one task: `listen`. The descriptors stay the caller's."""

    def __init__(self, fds: Sequence[int], sink: Callable[[Sequence[Line]], Awaitable[None]]) -> None:
        """`fds` are the reading ends for STREAMS; they do not block."""
        self._sink = sink
        self._open = [Ear(stream, fd) for stream, fd in zip(STREAMS, fds, strict=True)]
        self._readable: list[Ear] = []
        self._woken = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._heard = time.monotonic()
        self._is_last = False
        self._is_busy = False

    @property
    def heard(self) -> float:
        """When something last came. While its lines wait for us the step cannot be heard."""
        return time.monotonic() if self._is_busy else self._heard

    async def listen(self) -> None:
        """Give all lines to the sink, until all pipes have ended, or after `finish` are empty."""
        for ear in self._open:
            self._loop.add_reader(ear.fd, self._wake, ear)
        try:
            while self._open:
                for ear in list(self._readable):
                    await self._read(ear)
                if not self._readable and self._open:
                    self._woken.clear()
                    await self._woken.wait()
        finally:
            for ear in self._open:
                self._loop.remove_reader(ear.fd)

    def finish(self) -> None:
        """The writer says that it has written everything."""
        self._is_last = True
        for ear in self._open:
            if ear not in self._readable:
                self._wake(ear)

    def _wake(self, ear: Ear) -> None:
        self._loop.remove_reader(ear.fd)
        self._readable.append(ear)
        self._woken.set()

    async def _read(self, ear: Ear) -> None:
        try:
            lines = ear.hear()
        except BlockingIOError:
            self._readable.remove(ear)
            if self._is_last:
                await self._close(ear)
            else:
                self._loop.add_reader(ear.fd, self._wake, ear)
            return
        if lines is None:
            self._readable.remove(ear)
            await self._close(ear)
            return
        self._heard = time.monotonic()
        if lines:
            await self._tell(lines)

    async def _close(self, ear: Ear) -> None:
        self._open.remove(ear)
        if lines := ear.rest():
            await self._tell(lines)

    async def _tell(self, lines: list[Line]) -> None:
        self._is_busy = True
        try:
            await self._sink(lines)
        finally:
            self._is_busy = False
            self._heard = time.monotonic()


def drop(fds: Sequence[int]) -> None:
    """Throw away what is in the pipes now: nobody's words."""
    for fd in fds:
        try:
            while os.read(fd, _READ_BYTES):
                pass
        except BlockingIOError:
            pass
