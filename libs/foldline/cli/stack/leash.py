"""Ties a process to its supervisor: the kernel ends it when the supervisor dies in whatever way."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
# Loaded here and not between fork and exec, where only the simplest calls are safe.
_libc = ctypes.CDLL(None, use_errno=True)


def leash(number: signal.Signals) -> Callable[[], None]:
    """What the child must run between fork and exec; `number` is what it gets when we die."""
    parent = os.getpid()

    def tie() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # died between fork and prctl
            os._exit(1)

    return tie
