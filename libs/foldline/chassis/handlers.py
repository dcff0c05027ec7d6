"""Put code around an RPC handler whatever its kind, unary or streaming; what interceptors are made of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import grpc

#: An RPC's request or reply; interceptors see every type there is.
Payload = Any
Context: TypeAlias = "grpc.aio.ServicerContext[Payload, Payload]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Payload, Payload]"
Tick = Callable[[], None]

if TYPE_CHECKING:  # grpc's classes are generic in their stubs alone
    Interceptor = grpc.aio.ServerInterceptor[Payload, Payload]
else:
    Interceptor = grpc.aio.ServerInterceptor

Around = Callable[[Payload, "Context"], AbstractAsyncContextManager[Tick | None]]
"""Entered with the request (None where requests are streamed) before the handler runs, left after it.

What it yields, if anything, is called for each streamed reply."""


def wrap(handler: Handler, around: Around) -> Handler:
    """The same handler with `around` around it."""
    if handler.response_streaming:
        streaming = _streaming(_behaviour(handler), around, handler.request_streaming)
        make = (
            grpc.stream_stream_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_stream_rpc_method_handler
        )
        return make(streaming, handler.request_deserializer, handler.response_serializer)
    unary = _unary(_behaviour(handler), around, handler.request_streaming)
    make = (
        grpc.stream_unary_rpc_method_handler
        if handler.request_streaming
        else grpc.unary_unary_rpc_method_handler
    )
    return make(unary, handler.request_deserializer, handler.response_serializer)


def _behaviour(handler: Handler) -> Callable[[Payload, Context], Any]:
    kinds = (handler.unary_unary, handler.unary_stream, handler.stream_unary, handler.stream_stream)
    found: Any = next(kind for kind in kinds if kind is not None)  # the stubs know only sync handlers
    return cast("Callable[[Payload, Context], Any]", found)


def _unary(
    inner: Callable[[Payload, Context], Any], around: Around, request_streaming: bool
) -> Callable[[Payload, Context], Awaitable[Payload]]:
    async def behaviour(request: Payload, context: Context) -> Payload:
        async with around(None if request_streaming else request, context):
            return await inner(request, context)

    return behaviour


def _streaming(
    inner: Callable[[Payload, Context], Any], around: Around, request_streaming: bool
) -> Callable[[Payload, Context], AsyncIterator[Payload]]:
    async def behaviour(request: Payload, context: Context) -> AsyncIterator[Payload]:
        async with around(None if request_streaming else request, context) as tick:
            replies = inner(request, context)
            if not hasattr(replies, "__aiter__"):  # a coroutine that calls context.write itself
                await replies
                return
            async for reply in replies:
                yield reply
                if tick is not None:
                    tick()

    return behaviour
