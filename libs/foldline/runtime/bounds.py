"""Limits that the kernel holds for us, set by the step's process on itself."""

from __future__ import annotations

import contextlib
import math
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Numerical libraries would otherwise start a thread for every core that the machine has."""


def set_for_ever(limits: dict[str, Any]) -> None:
    """For a process that has one attempt: nothing in it can take them back, unless it runs as root."""
    _set_cores(limits)
    for which, value in _files(limits):
        resource.setrlimit(which, (value, value))


@contextlib.contextmanager
def lent(limits: dict[str, Any]) -> Iterator[None]:
    """For one of several attempts."""
    before = {name: os.environ.get(name) for name in THREADS}  # noqa: TID251 - as below
    cores = os.sched_getaffinity(0)
    files = [(which, resource.getrlimit(which), value) for which, value in _files(limits)]
    _set_cores(limits)
    for which, (_, most), value in files:
        resource.setrlimit(which, (value, most))
    try:
        yield
    finally:
        for which, old, _ in files:
            resource.setrlimit(which, old)
        os.sched_setaffinity(0, cores)
        for name, value_before in before.items():
            if value_before is None:
                os.environ.pop(name, None)  # noqa: TID251 - the step's own environment
            else:
                os.environ[name] = value_before  # noqa: TID251 - the step's own environment


def bytes_in(folder: Path | str) -> int:
    """Of all files in it."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # removed meanwhile
                total += os.lstat(f"{place}/{name}").st_size
    return total


def _set_cores(limits: dict[str, Any]) -> None:
    if limits["cores"]:
        os.sched_setaffinity(0, limits["cores"])
    if limits["cpu"]:
        for name in THREADS:
            os.environ[name] = str(math.ceil(limits["cpu"]))  # noqa: TID251 - the step's own environment


def _files(limits: dict[str, Any]) -> list[tuple[int, int]]:
    found = []
    if limits["open_files"]:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        found.append((resource.RLIMIT_NOFILE, min(limits["open_files"], most)))
    if limits["disk_bytes"]:
        found.append((resource.RLIMIT_FSIZE, limits["disk_bytes"]))
    return found
