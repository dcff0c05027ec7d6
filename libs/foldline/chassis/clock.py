"""Time and ids. The only caller of now() and the only place that mints ids."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present, aware, in UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the one place


class _Ticks:
    """Sub-millisecond ticks that only ever grow within this process, whatever the clock does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        # 48 bits of milliseconds and 12 bits of their fraction, as RFC 9562 method 3 lays them out.
        tick = time.time_ns() * 4096 // 1_000_000
        with self._lock:
            self._last = max(tick, self._last + 1)
            return self._last


_ticks = _Ticks()


def new_id() -> str:
    """A UUIDv7 as text: unique everywhere, and ordered by birth within one process."""
    tick = _ticks.next()
    noise = int.from_bytes(os.urandom(8)) >> 2
    bits = (tick >> 12) << 80 | 0x7 << 76 | (tick & 0xFFF) << 64 | 0b10 << 62 | noise
    text = f"{bits:032x}"  # what str(UUID(int=bits)) says, for a third
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
