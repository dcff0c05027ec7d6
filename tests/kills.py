"""The kernel counts its kills for want of memory by the machine: who provokes one is heard by all."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def only_our_kills() -> Iterator[None]:
    """For modules that provoke such kills, or must not see one: they take turns, in all workers."""
    place = Path(tempfile.gettempdir(), f"foldline-tests-kills-{os.getuid()}")
    with place.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
