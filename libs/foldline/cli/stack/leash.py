"""Ties a process to its supervisor: the kernel ends it when the supervisor dies in whatever way."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
# Loaded here and not between fork and exec, where only the simplest calls are safe.
_libc = ctypes.CDLL(None, use_errno=True)


def leash(number: signal.Signals) -> Callable[[], None]:
    """What the child must run between fork and exec; `number` is what it gets when we die."""
    parent = os.getpid()
    return lambda: tie(number, parent)


def tie(number: signal.Signals, parent: int) -> None:
    """Get this signal when the parent, which has this pid, dies; end when it has died already."""
    _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:  # died between fork and prctl
        os._exit(1)


def adopt(*, willing: bool) -> None:
    """Be the parent of what our descendants leave behind, or no longer (prctl(2))."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, int(willing), 0, 0, 0)
