"""Files in memory that launcher and step hand each other: the job on one, the result on another.

They cost no disk, may have any size, and vanish with the last process that has them open.
"""

from __future__ import annotations

import json
import os
from typing import Any


def new(content: dict[str, Any] | None = None) -> int:
    """The descriptor of a new sheet; the caller closes it."""
    fd = os.memfd_create("foldline")
    if content is not None:
        write(fd, content)
    return fd


def write(fd: int, content: dict[str, Any]) -> None:
    """Write the sheet anew."""
    os.ftruncate(fd, 0)
    rest = memoryview(json.dumps(content).encode())
    offset = 0
    while offset < len(rest):
        offset += os.pwrite(fd, rest[offset:], offset)


def read(fd: int) -> dict[str, Any]:
    """What is on the sheet; nothing where its writer did not come to the end."""
    pieces = []
    offset = 0
    while piece := os.pread(fd, 1024 * 1024, offset):
        pieces.append(piece)
        offset += len(piece)
    try:
        content: dict[str, Any] = json.loads(b"".join(pieces))
    except ValueError:
        return {}
    return content
