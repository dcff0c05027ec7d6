"""The few things of Linux that the standard library does not offer."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
from pathlib import Path

_SET_DEATH_SIGNAL = 1
_SET_DUMPABLE = 4
_SET_NAME = 15
_SET_SUBREAPER = 36

_WAIT_FOR_ALL = 0x40000000
"""__WALL: also for children that would not send SIGCHLD."""

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

_libc = ctypes.CDLL(None, use_errno=True)
_fflush, _call_prctl = _libc.fflush, _libc.prctl


def die_with_parent(signal: int) -> None:
    """Have the kernel send this process `signal` when its parent ends, however it ends."""
    _prctl(_SET_DEATH_SIGNAL, signal)


def become_subreaper(*, willing: bool = True) -> None:
    """Orphans among this process's descendants become its own children, so that none gets away."""
    _prctl(_SET_SUBREAPER, int(willing))


def forbid_inspection() -> None:
    """Processes of the same user can no longer read this one's memory and environment, nor trace it.

    Programs that it starts are not affected.
    """
    _prctl(_SET_DUMPABLE, 0)


def set_name(name: str) -> None:
    """The short name that ps and top show."""
    _prctl(_SET_NAME, ctypes.c_char_p(name.encode()[:15]))


def flush_native() -> None:
    """What libraries in C have printed and their C library still holds."""
    _fflush(None)


def peak_bytes() -> int:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def peak_bytes_of_children() -> int:
    """The same of those that it has waited for."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def forget_peak() -> None:
    """The peak of this process's memory counts from now on. Nothing where the kernel has no such thing."""
    try:
        fd = os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.write(fd, b"5")
    except OSError:
        return
    finally:
        os.close(fd)


def has_children() -> bool:
    """Quicker than to ask which; those count, too, that have ended and nobody has waited for."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT | _WAIT_FOR_ALL)
    except ChildProcessError:
        return False
    return True


def children() -> set[int]:
    """Process ids of this process's own children."""
    # Asked at every death of a process: pathlib and files would cost as much as all the rest.
    try:
        fd = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return _children_by_search()
    try:
        text = b""
        while piece := os.read(fd, _PAGE_BYTES):
            text += piece
    finally:
        os.close(fd)
    return set(map(int, text.split()))


def tree(pid: int, most: int) -> list[int]:
    """The process and all that is below it, `most` of them; not exact while they come and go."""
    found = [pid]
    for one in found:
        if len(found) >= most:
            break
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found[:most]


def resident_bytes(pid: int) -> int:
    """Memory of the process that is not swapped out, with what it shares; 0 for one that has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


def proportional_bytes(pid: int) -> int:
    """The same, with a share of what it shares and with what is swapped out: sums to what really is taken."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return resident_bytes(pid)
    rows = (line.split() for line in text.splitlines()[1:])
    return sum(int(row[1]) for row in rows if row[0] in ("Pss:", "SwapPss:")) * 1024


def out_of_memory_kills() -> int:
    """Processes of this machine that the kernel has killed because memory ran out."""
    try:
        rows = (line.split() for line in Path("/proc/vmstat").read_text().splitlines())
    except OSError:
        return 0
    return next((int(row[1]) for row in rows if row[0] == "oom_kill"), 0)


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
    if _call_prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")
