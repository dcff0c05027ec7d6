"""Tasks that live as long as a block, whose errors come out plain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


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
        async with asyncio.TaskGroup() as group:
            try:
                yield group
            except Exception as error:  # noqa: BLE001 - raised again below, outside of the group
                inner = error
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
