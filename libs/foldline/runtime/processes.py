"""A step's process from the launcher's side: its socket, its pipes, its end."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from foldline.runtime import sheets


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
        self.answered: asyncio.Future[None] = self._loop.create_future()
        """Resolved when a process that goes on afterwards has sent its result."""
        self.pipes = tuple(fds[1:])
        for fd in self.pipes:
            os.set_blocking(fd, False)
        self._link = socket.socket(fileno=fds[0])
        self._link.setblocking(False)
        self.reads: tuple[str, ...] = ()
        """Digests that its attempt has read, also if it should not come to its end."""
        self._result: dict[str, Any] = {}
        self._has_begun = False
        self._is_unread = False
        self.is_shared = False
        self._is_closed = False

    @property
    def has_ended(self) -> bool:
        return self.ended.done()

    @property
    def goes_on(self) -> bool:
        """It has sent a result and can take another attempt."""
        return self.answered.done() and self._result.get("left") == [] and not self.has_ended

    def send(self, order: dict[str, Any]) -> bool:
        """Hand over an attempt. False when the process is gone."""
        self._result, self.reads, self._is_unread = {}, (), False
        self.answered = self._loop.create_future()
        self.is_shared = order["is_shared"]
        if self.is_shared:
            self._loop.add_reader(self._link, self._on_readable)
        try:
            sheets.send(self._link, order)
        except OSError:
            return False
        return True

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

    def close(self) -> None:
        """Only when nobody reads."""
        if not self._is_closed:
            self._is_closed = True
            self._loop.remove_reader(self._link)
            self._link.close()
            for fd in self.pipes:
                os.close(fd)

    def _on_readable(self) -> None:
        if self._receive():
            self._loop.remove_reader(self._link)
            if not self.answered.done():
                self.answered.set_result(None)

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
            return True
        self._result = said
        return True
