"""What launcher and step hand each other on a socket, the job one way and the result the other way: JSON.

What is too long for a message is on a sheet, a file in memory that goes with an empty one: it costs no disk,
may have any size, and vanishes with the last process that has it open.
"""

from __future__ import annotations

import _socket  # of which `socket` is made
import json
import os
import sys
from collections.abc import Callable
from typing import Any

BEGUN: dict[str, Any] = {"begun": True}
"""What a process says when it has its first job."""

BEGUN_BYTES = json.dumps(BEGUN).encode()

READ = "read"
"""Key of what it says before it calls the function: the digests that it has read."""

_MESSAGE_BYTES = 64 * 1024
_FD_BYTES = 4
_DESCRIPTOR_SPACE = _socket.CMSG_SPACE(_FD_BYTES)

_encode: Callable[[Any, int], tuple[str, ...]] = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
    *(None, json.JSONEncoder().default, json.encoder.encode_basestring_ascii, None, ":", ","),
    *(False, False, True),
)
_scan: Callable[[str, int], tuple[Any, int]] = vars(json.JSONDecoder())["scan_once"]
"""What json.dumps and loads come to, without the Python around it: a fresh process pays for each function."""


def send(link: _socket.socket, content: dict[str, Any]) -> None:
    """Onto a SOCK_SEQPACKET socket; nothing of it is there before all of it is."""
    data = "".join(_encode(content, 0)).encode()
    if len(data) <= _MESSAGE_BYTES:
        link.send(data)
        return
    sheet = os.memfd_create("foldline")
    try:
        _write(sheet, data)
        descriptor = sheet.to_bytes(_FD_BYTES, sys.byteorder)
        link.sendmsg([b"{}"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptor)])
    finally:
        os.close(sheet)


def receive(link: _socket.socket) -> dict[str, Any]:
    """Nothing where the other side has ended, or did not come to the end of its writing. OSError."""
    data, ancillary, _, _ = link.recvmsg(_MESSAGE_BYTES, _DESCRIPTOR_SPACE, _socket.MSG_CMSG_CLOEXEC)
    for _level, _kind, descriptor in ancillary:
        fd = int.from_bytes(descriptor[:_FD_BYTES], sys.byteorder)
        data = _read(fd)
        os.close(fd)
    try:
        content, _ = _scan(data.decode(), 0)
    except (ValueError, StopIteration):
        return {}
    return content if isinstance(content, dict) else {}


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
