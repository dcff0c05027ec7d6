"""Calls to services with their errors restored: a client raises what the service raised."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

import grpc

from foldline.wire import failures

Request = TypeVar("Request")
Response = TypeVar("Response")


async def ask(method: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
    """The answer to one question. Raises FoldlineError."""
    try:
        return await method(request)
    except grpc.aio.AioRpcError as error:
        raise failures.from_rpc_error(error) from error


async def stream(
    method: Callable[[Request], grpc.aio.UnaryStreamCall[Request, Response]], request: Request
) -> AsyncGenerator[Response, None]:
    """The answers as they come. Raises FoldlineError; ending the iteration cancels the call."""
    call = method(request)
    try:
        async for response in call:
            yield response
    except grpc.aio.AioRpcError as error:
        raise failures.from_rpc_error(error) from error
    finally:
        call.cancel()
