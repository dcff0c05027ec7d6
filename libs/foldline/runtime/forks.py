"""Forks of a warm parent, without what Python's own modules do after every fork and ours have no need of.

`threading` and `random` have Python code run in each child. That alone copies a hundred pages of memory, a
fifth of what a step's process costs; and where there is one thread, `threading` has nothing to mend. All
other forks, those of a step included, do what they always did.

Law: nothing is imported at the top here that would import these two: `defer` comes before them.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

_WARNS = sys.version_info >= (3, 12)
"""Does Python warn of threads?"""

_deferred: list[Callable[[], object]] = []
"""What the two want to have called in every child."""

_is_plain = False
"""Is the fork that goes on one of `fork`?"""


def defer() -> None:
    """Import the two, and come between Python and what they want called. To be called once, first of all.

    Where something has imported one before, it stays as it was.
    """
    register = os.register_at_fork

    def keep(*, after_in_child: Callable[[], object] | None = None, **others: Any) -> None:
        if after_in_child is not None:
            _deferred.append(after_in_child)
        if others:
            register(**others)

    os.register_at_fork = keep
    try:
        import random  # noqa: F401
        import threading  # noqa: F401
    finally:
        os.register_at_fork = register
    register(after_in_child=_after_in_child)


def fork() -> int:
    """As os.fork, for a child that seeds `random` itself. The caller is the main thread."""
    global _is_plain  # noqa: PLW0603 - Python calls what is registered from inside the fork
    _is_plain = _is_alone()
    try:
        if not _WARNS:
            return os.fork()
        with warnings.catch_warnings():
            # Threads that libraries started at import (BLAS) know how to live through a fork.
            warnings.simplefilter("ignore", DeprecationWarning)
            return os.fork()
    finally:
        _is_plain = False


def _after_in_child() -> None:
    if not _is_plain:
        for action in _deferred:
            action()


def _is_alone() -> bool:
    """Does `threading` know of no thread but the main one, not even of one that has ended?"""
    threading = sys.modules.get("threading")
    return threading is not None and len(threading._dangling.data) == 1  # noqa: SLF001
