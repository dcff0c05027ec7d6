"""The services behind the gateway: a channel to each, and calls passed on as bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
from google.protobuf.message import Message

from foldline import access
from foldline.chassis import rpc
from foldline.domain.errors import FoldlineError, Kind
from foldline_gateway.methods import Method


class Backends:
    """Passes calls on in the name of the present caller; replies stay bytes."""

    def __init__(self, channels: Mapping[str, grpc.aio.Channel], methods: Sequence[Method]) -> None:
        self._calls: dict[str, Any] = {}  # the stubs do not type what interceptors see
        for method in methods:
            channel = channels[method.backend]
            kind: Any = channel.unary_stream if method.streaming else channel.unary_unary
            self._calls[method.path] = kind(method.path, request_serializer=_serialize)

    async def call(self, method: Method, request: Message, seconds: float | None) -> bytes:
        """The reply of a unary RPC. `seconds` is what is left of the caller's deadline."""
        try:
            reply: bytes = await self._open(method, request, seconds)
        except grpc.aio.AioRpcError as error:
            raise _explained(error, method) from error
        return reply

    async def stream(
        self, method: Method, request: Message, seconds: float | None
    ) -> AsyncGenerator[bytes, None]:
        """The replies of a streaming RPC. Closing it early ends it at the backend, too."""
        call = self._open(method, request, seconds)
        try:
            async for reply in call:
                yield reply
        except grpc.aio.AioRpcError as error:
            raise _explained(error, method) from error
        finally:
            call.cancel()

    def _open(self, method: Method, request: Message, seconds: float | None) -> Any:
        return self._calls[method.path](request, timeout=seconds, metadata=access.bearer_metadata())


@asynccontextmanager
async def connect(addresses: Mapping[str, str], methods: Sequence[Method]) -> AsyncIterator[Backends]:
    """Channels to the addresses by backend name. Nothing is asked yet: a service may start later."""
    async with AsyncExitStack() as stack:
        channels = {
            name: await stack.enter_async_context(rpc.channel(address)) for name, address in addresses.items()
        }
        yield Backends(channels, methods)


def _serialize(request: Message) -> bytes:
    return request.SerializeToString()


def _explained(error: grpc.aio.AioRpcError, method: Method) -> Exception:
    """grpc's own words for a service that is not there mean nothing to people; the rest is kept as it is."""
    if error.code() is not grpc.StatusCode.UNAVAILABLE:
        return error
    return FoldlineError(
        Kind.UNAVAILABLE,
        "SERVICE_UNREACHABLE",
        f"the {method.backend} does not answer at the moment; try again soon",
        service=method.backend,
    )
