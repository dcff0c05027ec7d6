"""What the machine itself takes for the parts of a step: no platform can be faster."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

COUNT = 200


def measure() -> list[dict[str, Any]]:
    """Each floor as {name, ms: {median, min, max, n}}."""
    return [
        {"name": "fork and wait", "ms": _samples(_fork)},
        {"name": "write and fsync 200 bytes", "ms": _samples(_fsync())},
    ]


def _samples(action: Callable[[], None]) -> dict[str, float]:
    samples = []
    for _ in range(COUNT):
        began = time.perf_counter()
        action()
        samples.append((time.perf_counter() - began) * 1000)
    rounded = (round(value, 3) for value in (statistics.median(samples), min(samples), max(samples)))
    return {**dict(zip(("median", "min", "max"), rounded, strict=True)), "n": COUNT}


def _fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _fsync() -> Callable[[], None]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the measurement

    def action() -> None:
        file.write(b"x" * 200)
        file.flush()
        os.fsync(file.fileno())

    return action
