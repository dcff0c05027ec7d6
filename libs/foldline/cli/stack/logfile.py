"""The log file of one process, kept below a size: the full file becomes `<name>.1`, that one `<name>.2`, …"""

from __future__ import annotations

import os
from pathlib import Path

MAX_BYTES = 10 * 1024 * 1024
KEPT = 3


class LogFile:
    """Appends bytes as they come; the write that would pass the limit starts a new file."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, kept: int = KEPT) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._kept = kept
        self._open()

    def write(self, data: bytes) -> None:
        if self._size and self._size + len(data) > self._max_bytes:
            self._rotate()
        self._size += self._file.write(data)

    def close(self) -> None:
        self._file.close()

    def _open(self) -> None:
        # Unbuffered: what a process said before it was killed must be in the file.
        self._file = self.path.open("ab", buffering=0)
        self._size = self._file.tell()

    def _rotate(self) -> None:
        self._file.close()
        for number in range(self._kept - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self.path.replace(self._numbered(1))
        self._open()

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a log; none where there is no file."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 64 * 1024))
        return file.read().decode(errors="replace").splitlines()[-lines:]
