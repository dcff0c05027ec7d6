"""Waiting without sleeping: until something holds, with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast, overload

T = TypeVar("T")

_PAUSE_SECONDS = 0.01
_LONG_PAUSE_SECONDS = 0.1


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
        begun = time.monotonic()
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
        await asyncio.sleep(_pause(begun))


def until_sync(assertion: Callable[[], T], timeout: float = 10.0) -> T:
    """The same for tests that run no event loop."""
    deadline = time.monotonic() + timeout
    while True:
        begun = time.monotonic()
        try:
            value = assertion()
            if value is not False:
                return value
            failure = AssertionError("it was still false")
        except AssertionError as error:
            failure = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} seconds: {failure}") from failure
        time.sleep(_pause(begun))


def _pause(begun: float) -> float:
    """How long not to look, after a look that began then: looking is not to take the machine from what is
    waited for. A look that asks servers leaves them most of the time, one that starts programs half of it.
    """
    took = time.monotonic() - begun
    return min(max(_PAUSE_SECONDS, 4 * took), max(_LONG_PAUSE_SECONDS, min(took, 1.0)))
