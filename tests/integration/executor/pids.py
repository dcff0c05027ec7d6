"""Processes by their ids, as steps write them into files."""

from __future__ import annotations

from pathlib import Path

from tests.waiting import until


def is_alive(pid: int) -> bool:
    """Is there a process that is more than a zombie?"""
    return _state(pid) not in ("", "Z")


def is_stopped(pid: int) -> bool:
    """Has it heard of a SIGSTOP? Until then it may still read what it is sent."""
    return _state(pid) == "T"


def _state(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return ""
    return stat.rpartition(")")[2].split()[0]


def all_gone(pids: list[int]) -> bool:
    return not any(map(is_alive, pids))


async def pids_in(path: Path) -> list[int]:
    """Wait for the file, then its numbers."""

    def read() -> list[int]:
        assert path.exists()
        words = path.read_text().split()
        assert words
        return [int(word) for word in words]

    return await until(read, timeout=30)
