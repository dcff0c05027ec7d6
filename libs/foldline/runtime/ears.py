"""Listens to all pipes of one process, one batch of lines at a time: a writer has to wait for us.

There is a task only while there are lines to hand on: most attempts say nothing.
"""

from __future__ import annotations

import asyncio
import os
import select
import time
from collections.abc import Callable, Sequence

from foldline.runtime.jobs import Line
from foldline.runtime.pipes import Splitter
from foldline.runtime.port import OnLines

STREAMS = ("stdout", "stderr", "note")

_READ_BYTES = 64 * 1024
_MOST_ROUNDS = 100
"""Of reading without a pause: somebody may write for ever."""


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
    """For one attempt after the other. The descriptors stay the caller's."""

    def __init__(self, fds: Sequence[int], on_news: Callable[[], None]) -> None:
        """`fds` are the reading ends for STREAMS; they do not block. `on_news` is called when all of them
        have ended, and when the listener has raised what is in `error` then."""
        self.error: BaseException | None = None
        self._on_news = on_news
        self._open = {fd: Ear(stream, fd) for stream, fd in zip(STREAMS, fds, strict=True)}
        self._ready = select.poll()
        for fd in fds:
            self._ready.register(fd, select.POLLIN)
        self._sink: OnLines | None = None
        self._readable: list[Ear] = []
        self._task: asyncio.Task[None] | None = None
        self._closed: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._heard = time.monotonic()
        self._is_listening = False
        self._is_busy = False

    @property
    def is_open(self) -> bool:
        """Has anybody one of the pipes?"""
        return bool(self._open)

    @property
    def heard(self) -> float:
        """When something last came. While its lines wait for us the step cannot be heard."""
        return time.monotonic() if self._is_busy else self._heard

    def begin(self, sink: OnLines) -> None:
        """Give all lines to the sink from now on. What is in the pipes already is nobody's and dropped."""
        for fd, _ in self._ready.poll(0):
            self._drop(self._open[fd])
        self._sink = sink
        self._heard = time.monotonic()
        if not self._is_listening:
            self._listen(True)

    async def finish(self) -> None:
        """The writer says that it has written everything: until all is taken. Raises the sink's errors."""
        await self._take_all()
        for ear in self._open.values():
            if lines := ear.rest():
                await self._tell(lines)
        self._sink = None

    async def end(self, patience: float) -> None:
        """The writer has ended: until all pipes have, too, or for so many seconds where others have them."""
        await self._take_all()
        if not self._open:
            return
        self._closed = self._loop.create_future()
        await asyncio.wait({self._closed}, timeout=patience)
        self._heed()

    async def rest(self) -> None:
        """Nothing more is given to the sink once this has returned."""
        self._sink = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def close(self) -> None:
        """Nobody listens any longer."""
        if self._is_listening:
            self._listen(False)
        self._open.clear()

    def _wake(self, ear: Ear) -> None:
        if self._sink is None:
            self._drop(ear)
        elif self._task is not None:
            self._loop.remove_reader(ear.fd)
            self._readable.append(ear)
        elif lines := self._hear(ear):
            self._task = asyncio.create_task(self._hand_on(lines), name="ears")
        elif not self._open:
            self._tell_end()

    async def _hand_on(self, lines: list[Line]) -> None:
        try:
            await self._tell(lines)
            while self._readable:
                for ear in list(self._readable):
                    await self._read(ear)
        except BaseException as error:  # noqa: BLE001 - it is raised to whoever runs the attempt
            self.error = error
            self._on_news()
        finally:
            self._task = None
            if self.error is not None or not self._open:
                self._tell_end()

    def _tell_end(self) -> None:
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)
        if not self._open:
            self._on_news()

    async def _read(self, ear: Ear) -> None:
        lines = self._hear(ear)
        is_open = ear.fd in self._open
        if not (lines and is_open):
            self._readable.remove(ear)
            if is_open and self._is_listening:
                self._loop.add_reader(ear.fd, self._wake, ear)
        if lines:
            await self._tell(lines)

    async def _take_all(self) -> None:
        """What is in the pipes now. While this waits for the sink, no task may begin to read."""
        if self._task is not None:
            self._listen(False)
            await asyncio.wait({self._task})
        self._heed()
        found = self._ready.poll(0)
        if found and self._is_listening:
            self._listen(False)
        for _ in range(_MOST_ROUNDS if found else 0):
            for fd, _ in found:
                if lines := self._hear(self._open[fd]):
                    await self._tell(lines)
            found = self._ready.poll(0)
            if not found:
                break
        if not self._is_listening:
            self._listen(True)

    def _listen(self, is_listening: bool) -> None:
        self._is_listening = is_listening
        for fd, ear in self._open.items():
            if is_listening:
                self._loop.add_reader(fd, self._wake, ear)
            else:
                self._loop.remove_reader(fd)

    def _hear(self, ear: Ear) -> list[Line]:
        """The lines that are complete now, if any; the last one where the pipe has ended."""
        try:
            lines = ear.hear()
        except BlockingIOError:
            return []
        self._heard = time.monotonic()
        if lines is None:
            self._forget(ear)
            return ear.rest()
        return lines

    async def _tell(self, lines: list[Line]) -> None:
        if self._sink is None:
            return
        self._is_busy = True
        try:
            await self._sink(lines)
        finally:
            self._is_busy = False
            self._heard = time.monotonic()

    def _heed(self) -> None:
        if self.error is not None:
            raise self.error

    def _drop(self, ear: Ear) -> None:
        """Nobody's words."""
        try:
            while data := os.read(ear.fd, _READ_BYTES):
                if len(data) < _READ_BYTES:
                    return
        except BlockingIOError:
            return
        self._forget(ear)

    def _forget(self, ear: Ear) -> None:
        """Its pipe has ended."""
        self._loop.remove_reader(ear.fd)
        self._ready.unregister(ear.fd)
        del self._open[ear.fd]
