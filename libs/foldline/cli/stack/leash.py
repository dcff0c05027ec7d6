"""Ties a process to its supervisor: the kernel ends it when the supervisor dies in whatever way."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from foldline.runtime import kernel


def leash(number: signal.Signals) -> Callable[[], None]:
    """What the child must run between fork and exec; `number` is what it gets when we die."""
    parent = os.getpid()
    return lambda: tie(number, parent)


def tie(number: int, parent: int) -> None:
    """Get this signal when the parent, which has this pid, dies; end when it has died already."""
    kernel.die_with_parent(number)
    if os.getppid() != parent:  # died between fork and prctl
        os._exit(1)
