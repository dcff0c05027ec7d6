"""When to report what a running attempt tells: a checkpoint at once, the rest now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

FIRST_SECONDS = 0.1
"""A step that is over sooner reports its end alone."""

PAUSE_SECONDS = 2.0


class Pace:
    """Calls `report` for whatever was told since it was last called; never once it was ended."""

    def __init__(self, report: Callable[[], None]) -> None:
        self._report = report
        self._last = -PAUSE_SECONDS
        self._timer: asyncio.TimerHandle | None = None
        self._is_ended = False

    def tell(self, at_once: bool) -> None:
        if self._is_ended or (self._timer is not None and not at_once):
            return
        loop = asyncio.get_running_loop()
        if at_once:
            self._go()
        else:
            delay = max(FIRST_SECONDS, self._last + PAUSE_SECONDS - loop.time())
            self._timer = loop.call_later(delay, self._go)

    def end(self) -> None:
        self._is_ended = True
        self._drop_timer()

    def _go(self) -> None:
        self._drop_timer()
        self._last = asyncio.get_running_loop().time()
        self._report()

    def _drop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
