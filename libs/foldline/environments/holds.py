"""Who uses or makes an environment now, on this machine, told by locks on a file beside it.

The kernel gives a lock back when its process ends, however it ends, so none is ever stale. Those who use an
environment share the lock of it; whoever makes or removes it has it alone, and may remove the file as well.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

PAUSE_SECONDS = 0.05

OnWait = Callable[[], Awaitable[None]]
"""Called once, when somebody else has the lock."""


class Hold:
    """A lock that this process has until `release`, or the end of the `with`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> Hold:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


async def shared(path: Path, on_wait: OnWait) -> Hold:
    """With others who use it; waits for whoever makes or removes it."""
    return await _wait(path, fcntl.LOCK_SH, on_wait)


async def alone(path: Path, on_wait: OnWait) -> Hold:
    """Waits until nobody else has it."""
    return await _wait(path, fcntl.LOCK_EX, on_wait)


def alone_at_once(path: Path) -> Hold | None:
    """None when somebody has it."""
    return _take(path, fcntl.LOCK_EX)


async def _wait(path: Path, operation: int, on_wait: OnWait) -> Hold:
    """Asks again and again: a thread that waits for a lock could not be cancelled."""
    hold = _take(path, operation)
    if hold is None:
        await on_wait()
    while hold is None:
        await asyncio.sleep(PAUSE_SECONDS)
        hold = _take(path, operation)
    return hold


def _take(path: Path, operation: int) -> Hold | None:
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(fd, operation | fcntl.LOCK_NB)
            # Who had it may have removed the file between our open and our lock.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(fd), path.stat()):
                    return Hold(fd)
        except BlockingIOError:
            os.close(fd)
            return None
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
