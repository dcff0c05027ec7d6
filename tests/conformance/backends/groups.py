"""Groups of processes whose memory the kernel bounds: its own killing, and nobody else's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PLACES = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
    (Path("/sys/fs/cgroup"), "memory.max"),
)
"""Where version 1 and version 2 of the kernel's groups have the bound."""


@contextmanager
def bounded(amount: int) -> Iterator[Path]:
    """A group of at most so many bytes. The test is skipped where we may make none."""
    for place, bound in _PLACES:
        group = place / f"foldline-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if (group / bound).exists():
                (group / bound).write_text(str(amount))
                yield group
                return
        finally:
            group.rmdir()
    pytest.skip("no group of processes with a bound of memory can be made here")
