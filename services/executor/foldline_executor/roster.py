"""The attempts that a backend has under way: each is there once, can be stopped, and tidies up to its end."""

from __future__ import annotations

import asyncio
from typing import Protocol

from foldline.runtime.jobs import Job, Outcome
from foldline.runtime.port import OnLines, OnStarted


class Attempt(Protocol):
    """One, as its backend carries it out."""

    job: Job

    async def run(self, on_lines: OnLines, on_started: OnStarted | None) -> Outcome: ...

    def stop(self, grace_seconds: float | None, *, forced: bool = False) -> None: ...

    def abandon(self) -> None:
        """The backend is being closed: end at once, as lost."""


class Roster:
    def __init__(self) -> None:
        self._attempts: dict[str, Attempt] = {}
        self._tasks: set[asyncio.Task[Outcome]] = set()

    async def run(self, attempt: Attempt, on_lines: OnLines, on_started: OnStarted | None) -> Outcome:
        """Cancelling ends when the attempt has tidied up."""
        key = attempt.job.key
        if key in self._attempts:
            raise ValueError(f"attempt {key} runs already")
        self._attempts[key] = attempt
        task = asyncio.create_task(attempt.run(on_lines, on_started), name=f"attempt {key}")
        self._tasks.add(task)
        try:
            return await task
        finally:
            if not task.done():
                await asyncio.wait({task})
            self._tasks.discard(task)
            del self._attempts[key]

    def stop(self, key: str, grace_seconds: float | None, *, forced: bool) -> bool:
        attempt = self._attempts.get(key)
        if attempt is not None:
            attempt.stop(grace_seconds, forced=forced)
        return attempt is not None

    async def close(self) -> None:
        """End whatever is still there."""
        for attempt in self._attempts.values():
            attempt.abandon()
        if self._tasks:
            await asyncio.wait(set(self._tasks))
