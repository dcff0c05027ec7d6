"""How an attempt comes to an early end, wherever it runs: which limit of time is next; ask, then insist."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

from foldline.runtime import verdicts
from foldline.runtime.jobs import Job, StepFailure


def next_limit(job: Job, now: float, *, since: float, heard: float) -> tuple[StepFailure | None, float]:
    """The limit of time that is reached next, and in how many seconds; None when there is none.

    The attempt began at `since` and last said something at `heard`, by one clock.
    """
    limits: list[tuple[float, StepFailure]] = []
    if job.run_seconds:
        failure = verdicts.timed_out(job, "it was still running")
        limits.append((since + job.run_seconds - now, failure))
    if job.silence_seconds:
        limits.append((heard + job.silence_seconds - now, verdicts.silent(job)))
    seconds, verdict = min(limits, key=lambda limit: limit[0], default=(0.0, None))
    return verdict, seconds


async def ask_then_insist(
    send: Callable[[signal.Signals], Awaitable[object]], grace: float, forced: asyncio.Event
) -> None:
    """SIGTERM, and SIGKILL after the grace; that at once when it is, or becomes, forced."""
    if not forced.is_set():
        await send(signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await forced.wait()
    await send(signal.SIGKILL)
