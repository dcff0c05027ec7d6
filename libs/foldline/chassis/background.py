"""Tasks that live as long as a block, whose errors come out plain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Generator
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")


AGAIN_SECONDS = 5.0
"""A task that still runs so long after it was cancelled is cancelled once more."""


class _Tasks(asyncio.TaskGroup):
    """Knows what it has started."""

    def __init__(self) -> None:
        super().__init__()
        self._started: set[asyncio.Task[Any]] = set()

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        task = super().create_task(coro, name=name, context=context)
        self._started.add(task)
        task.add_done_callback(self._started.discard)
        return task

    def insist(self) -> None:
        """Cancel what is left again and again: a library may have swallowed it (`require_wanted`)."""
        for task in self._started:
            if task.cancelling():
                task.cancel()
        if self._started:
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self.insist)


class _EndError(Exception):
    """Makes a task group cancel what still runs in it."""


@asynccontextmanager
async def tasks() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group for an adapter's background work.

    It differs from a bare TaskGroup in two ways: tasks that still run when the block ends are cancelled, and
    an error of the block itself leaves as it is, not inside an ExceptionGroup, so that whoever uses
    the adapter can catch it. A task that fails cancels the block and its error comes out.
    """
    inner: Exception | None = None
    try:
        async with _Tasks() as group:
            try:
                yield group
            except Exception as error:  # noqa: BLE001 - raised again below, outside of the group
                inner = error
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, group.insist)
            raise _EndError
    except BaseExceptionGroup as failures:
        _, failed = failures.split(_EndError)
        if failed is not None:
            raise failed.exceptions[0] if len(failed.exceptions) == 1 else failed from inner
    if inner is not None:
        raise inner


def require_wanted() -> None:
    """Raise the cancellation that the current task has got and that what it awaited has swallowed.

    asyncpg does so where a connection is there in the moment of the cancellation; a task that goes on for
    ever would never be asked again, and whoever waits for its end would wait for ever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
