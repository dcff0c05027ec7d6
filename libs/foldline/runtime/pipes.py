"""From the bytes of a pipe to lines of text: bounded memory, whatever a step writes."""

from __future__ import annotations

LINE_LIMIT = 16 * 1024
"""Longer lines are cut here, with a note of how much is missing."""


class Splitter:
    """Bytes in, whole lines out. A carriage return starts the line anew, as on a terminal."""

    def __init__(self) -> None:
        self._rest = b""
        self._lost = 0
        self._is_returned = False

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes."""
        first, *others = data.split(b"\n")
        if not others:
            self._keep(first)
            return []
        self._keep(first)
        lines = [self._take()]
        lines.extend(_text(part) for part in others[:-1])
        self._keep(others[-1])
        return lines

    def end(self) -> list[str]:
        """What is left when there is no more."""
        return [self._take()] if self._rest or self._lost else []

    def _keep(self, data: bytes) -> None:
        text = data.rstrip(b"\r")
        if text:
            cut = text.rfind(b"\r")
            if cut >= 0 or self._is_returned:
                self._rest, self._lost = b"", 0
            fresh = text[cut + 1 :]
            room = LINE_LIMIT - len(self._rest)
            self._rest += fresh[:room]
            self._lost += max(0, len(fresh) - room)
            self._is_returned = False
        # What follows a carriage return is not known yet: a newline, or the line anew.
        self._is_returned = self._is_returned or len(text) < len(data)

    def _take(self) -> str:
        rest, lost, self._rest, self._lost = self._rest, self._lost, b"", 0
        self._is_returned = False
        return _text(rest, lost)


def _text(data: bytes, lost: int = 0) -> str:
    data = data.rstrip(b"\r")
    cut = data.rfind(b"\r")
    if cut >= 0:
        data = data[cut + 1 :]
    if len(data) > LINE_LIMIT:
        data, lost = data[:LINE_LIMIT], lost + len(data) - LINE_LIMIT
    text = data.decode(errors="backslashreplace")
    return f"{text} … [{lost} more bytes cut]" if lost else text
