"""A step's process from the launcher's side: its socket, its pipes, its end."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from foldline.runtime import sheets
from foldline.runtime.ears import Ears
from foldline.runtime.port import OnLines


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: an exit code (a negative one is a signal), or an `error` of the platform."""

    status: int = 0
    max_rss_bytes: int = 0
    error: str = ""


class StepProcess:
    """Forked and settled in advance. It is given one attempt (fresh), or one after the other (shared)."""

    def __init__(self, pid: int, fds: Sequence[int]) -> None:
        """`fds`: its socket, then the reading ends for `ears.STREAMS`. They are ours from now on."""
        self.pid = pid
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Ended] = self._loop.create_future()
        self._pipes = tuple(fds[1:])
        for fd in self._pipes:
            os.set_blocking(fd, False)
        self.ears = Ears(self._pipes, self._tell)
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fds[0])
        self._link.setblocking(False)
        self.reads: tuple[str, ...] = ()
        """Digests that its attempt has read, also if it should not come to its end."""
        self._result: dict[str, Any] = {}
        self._has_answered = False
        self._has_begun = False
        self._is_unread = False
        self.is_shared = False
        self._is_read = False
        self._is_closed = False
        self._news: asyncio.Future[None] | None = None

    @property
    def has_ended(self) -> bool:
        return self.ended.done()

    @property
    def goes_on(self) -> bool:
        """It has sent a result and can take another attempt."""
        return self._is_read and self._result.get("left") == [] and not self.has_ended

    def begin(self, order: dict[str, Any], on_lines: OnLines) -> bool:
        """Hand over an attempt. False when the process is gone."""
        self._result, self.reads = {}, ()
        self._has_answered = self._is_unread = False
        self.is_shared = order["is_shared"]
        self.ears.begin(on_lines)
        if self.is_shared and not self._is_read:
            self._is_read = True
            self._loop.add_reader(self._link, self._on_readable)
        try:
            sheets.send(self._link, order)
        except OSError:
            return False
        return True

    async def until_answered(self) -> None:
        """Until a process that goes on afterwards has sent its result, or has ended. Raises what the
        listener has raised."""
        while not self._has_answered and not self.has_ended:
            await self._next()

    async def until_ended(self) -> None:
        """Or until a fresh attempt has said all that it ever will. Raises what the listener has raised."""
        while not self.has_ended and not self.has_said_all:
            await self._next()

    @property
    def has_said_all(self) -> bool:
        """The one attempt's result is here, and nobody has its pipes any more: the rest is the kernel's."""
        return not (self.is_shared or self.ears.is_open) and bool(self.result())

    def result(self) -> dict[str, Any]:
        """What it sent; nothing where it did not come to the end of the attempt."""
        if not self._result:
            self._receive()
        return self._result

    @property
    def is_untouched(self) -> bool:
        """It ended before it had read its order: the attempt has not begun."""
        if self.has_ended and not self._result:
            self._receive()
        return self.has_ended and (self._is_unread or not self._has_begun)

    def end(self, how: Ended) -> None:
        if not self.ended.done():
            self.ended.set_result(how)
            self._tell()

    def close(self) -> None:
        """Only when nobody reads."""
        if not self._is_closed:
            self._is_closed = True
            self._ignore()
            self.ears.close()
            self._link.close()
            for fd in self._pipes:
                os.close(fd)

    async def _next(self) -> None:
        """Until something has happened."""
        if self.ears.error is not None:
            raise self.ears.error
        self._news = self._loop.create_future()
        await self._news
        if self.ears.error is not None:
            raise self.ears.error

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def _on_readable(self) -> None:
        if self._receive():
            self._has_answered = True
            self._tell()

    def _ignore(self) -> None:
        if self._is_read:
            self._is_read = False
            self._loop.remove_reader(self._link)

    def _receive(self) -> bool:
        """Was there anything? The end counts as something."""
        try:
            while True:
                said = sheets.receive(self._link)
                if said == sheets.BEGUN:
                    self._has_begun = True
                elif sheets.READ in said:
                    self.reads = tuple(said[sheets.READ])
                else:
                    break
        except BlockingIOError:
            return False
        except ConnectionResetError:
            # So the kernel says that it has gone, and left unread what it was sent.
            self._is_unread = True
            return True
        except OSError:
            said = {}
        if not said:
            self._ignore()  # the other end is closed
        self._result = self._result or said
        return True
