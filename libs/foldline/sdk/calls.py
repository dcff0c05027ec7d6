"""Calls to services with their errors restored: a client raises what the service raised.

A service that has too much to do refuses before it has done anything (kind EXHAUSTED), and says when to come
again; the client does so by itself, later each time, until its patience ends. Anything else is raised at
once: of other errors nobody knows whether the thing was done.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

import grpc

from foldline.domain.errors import FoldlineError, Kind
from foldline.wire import failures

Request = TypeVar("Request")
Response = TypeVar("Response")

PATIENCE_SECONDS = 60.0
"""How long a call is made again that is refused because there is too much to do."""

LONGEST_PAUSE_SECONDS = 15.0


async def ask(method: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
    """The answer to one question. Raises FoldlineError."""
    patience = _Patience()
    while True:
        try:
            return await method(request)
        except grpc.aio.AioRpcError as error:
            await patience.wait(failures.from_rpc_error(error), error)


async def stream(
    method: Callable[[Request], grpc.aio.UnaryStreamCall[Request, Response]], request: Request
) -> AsyncGenerator[Response, None]:
    """The answers as they come. Raises FoldlineError; ending the iteration cancels the call."""
    patience = _Patience()
    while True:
        call = method(request)
        begun = False
        try:
            async for response in call:
                begun = True
                yield response
            return
        except grpc.aio.AioRpcError as error:
            known = failures.from_rpc_error(error)
            if begun:
                raise known from error
            await patience.wait(known, error)
        finally:
            call.cancel()


class _Patience:
    """The pauses of one call."""

    def __init__(self) -> None:
        self._end = time.monotonic() + PATIENCE_SECONDS
        self._tries = 0

    async def wait(self, error: FoldlineError, cause: Exception) -> None:
        """Wait as long as the error asks for; raise it where that does not help, or took too long already.

        Many clients were refused at the same moment: they are not to come back at the same moment.
        """
        if error.kind is not Kind.EXHAUSTED or error.retry_seconds is None or time.monotonic() > self._end:
            raise error from cause
        longest = min(LONGEST_PAUSE_SECONDS, error.retry_seconds * 1.5**self._tries)
        self._tries += 1
        await asyncio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, guards nothing
