"""The few things of Linux that the standard library does not offer."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_SET_DEATH_SIGNAL = 1
_SET_DUMPABLE = 4
_SET_NAME = 15
_SET_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(signal: int) -> None:
    """Have the kernel send this process `signal` when its parent ends, however it ends."""
    _prctl(_SET_DEATH_SIGNAL, signal)


def become_subreaper() -> None:
    """Orphans among this process's descendants become its own children, so that none gets away."""
    _prctl(_SET_SUBREAPER, 1)


def forbid_inspection() -> None:
    """Processes of the same user can no longer read this one's memory and environment, nor trace it.

    Programs that it starts are not affected.
    """
    _prctl(_SET_DUMPABLE, 0)


def set_name(name: str) -> None:
    """The short name that ps and top show."""
    _prctl(_SET_NAME, ctypes.c_char_p(name.encode()[:15]))


def children() -> set[int]:
    """Process ids of this process's own children."""
    try:
        text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    except OSError:
        return _children_by_search()
    return {int(pid) for pid in text.split()}


def _children_by_search() -> set[int]:
    """The same for kernels without the children file."""
    found = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and _parent_of(folder) == os.getpid():
            found.add(int(folder.name))
    return found


def _parent_of(folder: Path) -> int:
    try:
        stat = (folder / "stat").read_text()
    except OSError:
        return 0  # it ended meanwhile
    # The name in parentheses may contain anything, so count from the last parenthesis.
    return int(stat.rpartition(")")[2].split()[1])


def _prctl(option: int, value: object) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")
