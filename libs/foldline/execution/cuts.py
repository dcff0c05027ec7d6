"""What is kept of the log of an attempt that writes without end: all up to a limit, then only the last lines.

Pure: times come with the lines. What is left out is counted, and said where it would have stood.

Notes (metrics, progress) are in the log for whoever reads along; whole they are in their series. They are
none of a step's lines: they do not count against its limit, and after many of them no more are taken.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime

import msgspec

from foldline.execution.notes import NOTE
from foldline.runtime.jobs import Line

DEFAULT_LINES = 10_000_000
DEFAULT_BYTES = 1024**3

TAIL_LINES = 1000
TAIL_BYTES = 256 * 1024
"""The last lines say why an attempt failed; they are kept whatever was left out before them."""

NOTE_LINES = 10_000
"""Of metrics and progress in the log of one attempt."""


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """Of one attempt: lines, and bytes of their text."""

    lines: int = DEFAULT_LINES
    bytes: int = DEFAULT_BYTES


DEFAULT_LIMIT = Limit()


class Timed(msgspec.Struct, frozen=True, gc=False):
    """A line and when it came."""

    line: Line
    time: datetime


class Cut:
    """`take` every line; keep what it gives back. `end` gives the last lines."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._lines = 0
        self._bytes = 0
        self._is_cut = False
        self._tail: deque[Timed] = deque()
        self._tail_bytes = 0
        self.left_out = 0
        """Lines that are in no log any more, and not told of yet."""
        self._left_out_bytes = 0
        self._notes = 0

    def take(self, timed: Timed) -> Timed | None:
        """The line, a note in its place, or nothing."""
        if timed.line.stream == NOTE:
            return self._take_note(timed)
        size = size_of(timed.line)
        if not self._is_cut:
            self._lines += 1
            self._bytes += size
            if self._lines <= self._limit.lines and self._bytes <= self._limit.bytes:
                return timed
            self._is_cut = True
            self._hold(timed, size)
            return _note(self._reason(), timed.time)
        self._hold(timed, size)
        return None

    def end(self) -> list[Timed]:
        """What was left out, in words, and the last lines; more of them may come afterwards."""
        last = list(self._tail)
        if self.left_out:
            text = f"{self.left_out:,} lines ({self._left_out_bytes:,} bytes) were left out here"
            last.insert(0, _note(text, last[0].time))
        self._tail.clear()
        self._tail_bytes = self._left_out_bytes = self.left_out = 0
        return last

    def _take_note(self, timed: Timed) -> Timed | None:
        if self._is_cut:
            return None
        self._notes += 1
        if self._notes == NOTE_LINES + 1:
            return _note(f"of metrics and progress the first {NOTE_LINES:,} are in this log", timed.time)
        return timed if self._notes <= NOTE_LINES else None

    def _hold(self, timed: Timed, size: int) -> None:
        self._tail.append(timed)
        self._tail_bytes += size
        while len(self._tail) > TAIL_LINES or (self._tail_bytes > TAIL_BYTES and len(self._tail) > 1):
            first = size_of(self._tail.popleft().line)
            self._tail_bytes -= first
            self._left_out_bytes += first
            self.left_out += 1

    def _reason(self) -> str:
        is_long = self._lines > self._limit.lines
        limit = f"{self._limit.lines:,} lines" if is_long else f"{self._limit.bytes:,} bytes"
        return f"the log is cut here, at its limit of {limit}; of what follows only the last lines are kept"


def size_of(line: Line) -> int:
    """Bytes of a line with its end."""
    return (len(line.text) if line.text.isascii() else len(line.text.encode())) + 1


def _note(text: str, time: datetime) -> Timed:
    return Timed(Line("system", text), time)
