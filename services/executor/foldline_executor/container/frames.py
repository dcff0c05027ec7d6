"""What an engine sends of a container's output: frames of a stream number, a length and bytes. Pure."""

from __future__ import annotations

from collections.abc import Iterator

_HEAD = 8
STDOUT, STDERR = 1, 2


class Frames:
    """Bytes in, parts of streams out. Of a frame nothing is kept longer than necessary: it may be large."""

    def __init__(self) -> None:
        self._head = b""
        self._stream = 0
        self._left = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        view = memoryview(data)
        while view:
            if not self._left:
                missing = _HEAD - len(self._head)
                self._head += bytes(view[:missing])
                view = view[missing:]
                if len(self._head) < _HEAD:
                    return
                self._stream, self._left = self._head[0], int.from_bytes(self._head[4:], "big")
                self._head = b""
                continue
            part = bytes(view[: self._left])
            view = view[len(part) :]
            self._left -= len(part)
            yield self._stream, part
