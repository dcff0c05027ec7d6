"""One supervisor per home: a lock that a dead process cannot hold and a reused pid cannot fake.

The kernel's lock on the file says whether somebody runs; pid and start time inside say who, for `down` and
`status`. A pid alone is never trusted.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec


class Holder(msgspec.Struct, frozen=True):
    """The process that holds a lock. `started` is in clock ticks since the machine's start."""

    pid: int
    started: int

    def is_alive(self) -> bool:
        return _started(self.pid) == self.started

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process is gone or its pid was given to another one."""
        if self.is_alive():
            os.kill(self.pid, number)

    def wait_gone(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


class AlreadyRunning(Exception):
    """Somebody else holds the lock."""

    def __init__(self, holder: Holder | None) -> None:
        super().__init__(f"already running (pid {holder.pid})" if holder else "already starting")
        self.holder = holder


@contextmanager
def held(path: Path) -> Iterator[Holder]:
    """Hold the lock at `path`; raise AlreadyRunning when another process has it."""
    me = Holder(os.getpid(), _started(os.getpid()) or 0)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(holder(path)) from error
        file.seek(0)
        file.truncate()
        file.write(msgspec.json.encode(me).decode())
        file.flush()
        try:
            yield me
        finally:
            file.seek(0)
            file.truncate()


def holder(path: Path) -> Holder | None:
    """Who holds the lock at `path` now, if anybody does."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Holder)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return found if found.is_alive() else None


def _started(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name in parentheses may hold blanks and parentheses; field 3 is the first one behind it.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])
