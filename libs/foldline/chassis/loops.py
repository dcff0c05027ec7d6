"""Work that repeats: named, jittered, surviving a failure, ending with the process."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from foldline.chassis import logs, metrics

log = logs.logger()

_failures = metrics.counter("foldline_loop_failures", "Failed rounds of periodic work", ("loop",))

JITTER = 0.1
LONGEST_BACK_OFF_SECONDS = 30.0


async def every(
    seconds: float, fn: Callable[[], Awaitable[object]], *, name: str, until: asyncio.Event
) -> None:
    """Call `fn` now and then every `seconds` (±10 %) until `until` is set.

    A failed round is logged and the next one comes later, doubling up to 30 s. `fn` is never cut off by
    `until`; cancelling the task does that.
    """
    failures = 0
    while not until.is_set():
        try:
            await fn()
            failures = 0
        except Exception as error:
            failures += 1
            _failures.labels(name).inc()
            log.warning("loop_failed", loop=name, failures=failures, exc_info=error)
        await wait(until, pause(seconds, failures))


async def wait(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event, but no longer than `seconds`. True when it is set."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True


async def wait_first(*events: asyncio.Event, seconds: float | None = None) -> None:
    """Wait until one of the events is set, but no longer than `seconds`."""
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def pause(seconds: float, failures: int) -> float:
    """Seconds until the next round: doubled for each failure in a row, spread by 10 %."""
    longest = max(seconds, LONGEST_BACK_OFF_SECONDS)
    exact = min(longest, seconds * 2.0 ** min(failures, 16))
    return exact * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, guards nothing
