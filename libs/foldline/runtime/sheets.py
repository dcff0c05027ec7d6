"""What launcher and step hand each other on a socket, the job one way and the result the other way: JSON.

What is too long for a message is on a sheet, a file in memory that goes with an empty one: it costs no disk,
may have any size, and vanishes with the last process that has it open.
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any

BEGUN: dict[str, Any] = {"begun": True}
"""What a process says when it has its first job."""

READ = "read"
"""Key of what it says before it calls the function: the digests that it has read."""

_MESSAGE_BYTES = 64 * 1024


def send(link: socket.socket, content: dict[str, Any]) -> None:
    """Onto a SOCK_SEQPACKET socket; nothing of it is there before all of it is."""
    data = json.dumps(content).encode()
    if len(data) <= _MESSAGE_BYTES:
        link.send(data)
        return
    sheet = os.memfd_create("foldline")
    try:
        _write(sheet, data)
        socket.send_fds(link, [b"{}"], [sheet])
    finally:
        os.close(sheet)


def receive(link: socket.socket) -> dict[str, Any]:
    """Nothing where the other side has ended, or did not come to the end of its writing. OSError."""
    data, fds, _, _ = socket.recv_fds(link, _MESSAGE_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
    for fd in fds:
        data = _read(fd)
        os.close(fd)
    try:
        content: dict[str, Any] = json.loads(data)
    except ValueError:
        return {}
    return content


def _write(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    offset = 0
    while offset < len(rest):
        offset += os.pwrite(fd, rest[offset:], offset)


def _read(fd: int) -> bytes:
    pieces = []
    offset = 0
    while piece := os.pread(fd, 1024 * 1024, offset):
        pieces.append(piece)
        offset += len(piece)
    return b"".join(pieces)
