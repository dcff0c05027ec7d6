"""Waiting without sleeping: until something holds, with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast, overload

T = TypeVar("T")

_PAUSE_SECONDS = 0.01


@overload
async def until(assertion: Callable[[], Awaitable[T]], timeout: float = 10.0) -> T: ...  # noqa: ASYNC109


@overload
async def until(assertion: Callable[[], T], timeout: float = 10.0) -> T: ...  # noqa: ASYNC109


async def until(
    assertion: Callable[[], T | Awaitable[T]],
    timeout: float = 10.0,  # noqa: ASYNC109 - a deadline for the assertion, with its last failure
) -> T:
    """Call `assertion` until it neither raises AssertionError nor returns False; return what it returned.

    It may be a coroutine function. After `timeout` seconds its last failure is raised.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            found = assertion()
            value = cast("T", await found if isinstance(found, Awaitable) else found)
            if value is not False:
                return value
            failure = AssertionError("it was still false")
        except AssertionError as error:
            failure = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} seconds: {failure}") from failure
        await asyncio.sleep(_PAUSE_SECONDS)


def until_sync(assertion: Callable[[], T], timeout: float = 10.0) -> T:
    """The same for tests that run no event loop."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            value = assertion()
            if value is not False:
                return value
            failure = AssertionError("it was still false")
        except AssertionError as error:
            failure = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} seconds: {failure}") from failure
        time.sleep(_PAUSE_SECONDS)
