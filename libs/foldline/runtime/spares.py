"""The children of a warm parent: one is always forked and settled in advance, so that no attempt waits.

A child tells on a pipe when it has been given an attempt. The next one is forked in the quiet moment after
that, or at once where the launcher asks.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # of which `signal` is made; no enums
import _socket  # of which `socket` is made
import os
import signal
import struct
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple, NoReturn

from foldline.runtime import forks

PAUSE_SECONDS = 0.002
"""After an attempt has begun: its first moments shall not have to share the processor with a fork."""

_RETRY_SECONDS = 1.0
_PID = struct.Struct("i")


class Birth(NamedTuple):
    """What a child is born with: its socket, its ends of the pipes, and where it tells that it was taken."""

    link: _socket.socket
    mouths: tuple[int, int, int]
    """stdout, stderr, notes."""
    taken: int
    parent: int
    """Its process id."""

    def tell_taken(self) -> None:
        """Once, at the first attempt."""
        os.write(self.taken, _PID.pack(os.getpid()))
        os.close(self.taken)


class Spares:
    def __init__(self, begin: Callable[[Birth], NoReturn], blocked: tuple[signal.Signals, ...]) -> None:
        """`begin` is what a child does. Signals in `blocked` are for it to let through once it is settled."""
        self.ears, self._mouth = os.pipe2(os.O_CLOEXEC)
        self._begin = begin
        self._blocked = tuple(map(int, blocked))
        self._pid = os.getpid()
        self._idle: set[int] = set()
        self._due: float | None = time.monotonic()

    def fork(self) -> tuple[int, list[int]]:
        """A child, and the launcher's ends of its socket and pipes, to be closed here once they are sent."""
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        out, stdout = os.pipe2(os.O_CLOEXEC)
        err, stderr = os.pipe2(os.O_CLOEXEC)
        ear, notes = os.pipe2(os.O_CLOEXEC)
        ears, mouths = [ours.detach(), out, err, ear], (stdout, stderr, notes)
        birth = Birth(link=theirs, mouths=mouths, taken=self._mouth, parent=self._pid)
        self._due = time.monotonic() + _RETRY_SECONDS
        # A signal for the child that comes before it is ready to die of it must wait.
        _signal.pthread_sigmask(_signal.SIG_BLOCK, self._blocked)
        try:
            pid = forks.fork()
            if pid == 0:
                try:
                    _close([self.ears, *ears])
                    self._begin(birth)
                finally:
                    os._exit(1)  # never into the parent's code
        except OSError:
            _close(ears)
            raise
        finally:
            theirs.close()
            _close(mouths)
            _signal.pthread_sigmask(_signal.SIG_UNBLOCK, self._blocked)
        self._idle.add(pid)
        self._due = None
        return pid, ears

    @property
    def is_due(self) -> bool:
        return self._due is not None and self._due <= time.monotonic()

    @property
    def patience(self) -> float | None:
        """Seconds until a spare is due; None while there is one."""
        return None if self._due is None else max(0.0, self._due - time.monotonic())

    def take_notice(self) -> None:
        """Of children that were given an attempt. Only where `ears` can be read."""
        seconds = PAUSE_SECONDS
        for (pid,) in _PID.iter_unpack(os.read(self.ears, _PID.size * 64)):
            if pid in self._idle:
                self._idle.remove(pid)
            else:
                seconds = 0.0  # it has ended already
        self._plan(seconds)

    def bury(self, pid: int) -> None:
        """It has ended. Where it was the spare, something kills them: no hurry."""
        if pid in self._idle:
            self._idle.remove(pid)
            self._plan(_RETRY_SECONDS)
        elif self._due is not None:
            self._plan(0.0)

    def _plan(self, seconds: float) -> None:
        if not self._idle:
            self._due = time.monotonic() + seconds


def _close(fds: Iterable[int]) -> None:
    for fd in fds:
        os.close(fd)
