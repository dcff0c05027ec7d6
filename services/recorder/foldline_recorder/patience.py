"""Waiting for what is away: work that may be done again is done again until it succeeds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from foldline.chassis import logs
from foldline.domain.errors import FoldlineError, Kind

log = logs.logger()

SHORTEST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0


async def until_available(work: Callable[[], Awaitable[None]], *, doing: str) -> None:
    """Call `work` until it does not raise UNAVAILABLE. Any other error comes out at once."""
    pause = SHORTEST_PAUSE_SECONDS
    while True:
        try:
            return await work()
        except FoldlineError as error:
            if error.kind is not Kind.UNAVAILABLE:
                raise
            log.warning("work_waits", doing=doing, error=error.message, pause=pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
