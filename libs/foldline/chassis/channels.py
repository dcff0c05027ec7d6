"""Client channels: keep-alive, size limits, a deadline for every unary call, the token on every call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc

from foldline.chassis import observe

MESSAGE_LIMIT_BYTES = 32 * 1024 * 1024
DEADLINE_SECONDS = 30.0

if TYPE_CHECKING:  # grpc's classes are generic in their stubs alone
    UnaryInterceptor = grpc.aio.UnaryUnaryClientInterceptor[Any, Any]
    StreamInterceptor = grpc.aio.UnaryStreamClientInterceptor[Any, Any]
else:
    UnaryInterceptor = grpc.aio.UnaryUnaryClientInterceptor
    StreamInterceptor = grpc.aio.UnaryStreamClientInterceptor

OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # In spite of its name how long a connection may take to be made, HTTP/2's greeting included. A machine
    # that is busy or far away needs its time; calls whose connection was given up fail with UNAVAILABLE.
    ("grpc.min_reconnect_backoff_ms", 10_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
)


@asynccontextmanager
async def channel(
    address: str, token: str | None = None, *, deadline_seconds: float = DEADLINE_SECONDS
) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to "host:port", or to replicas that take turns, with commas between (numeric addresses then).

    Unary calls without a timeout of their own get the deadline.
    """
    if "," in address:
        address = f"ipv4:{address}"
    extend = _Extend(token, deadline_seconds)
    interceptors: list[Any] = [_Unary(extend), _Streaming(extend)]
    async with grpc.aio.insecure_channel(address, options=OPTIONS, interceptors=interceptors) as opened:
        yield opened


class _Extend:
    """Adds to the details of a call what every call needs."""

    def __init__(self, token: str | None, deadline_seconds: float) -> None:
        self._token = token
        self._deadline_seconds = deadline_seconds

    def __call__(self, details: grpc.aio.ClientCallDetails, unary: bool) -> grpc.aio.ClientCallDetails:
        metadata = grpc.aio.Metadata(*(details.metadata or ()))
        if self._token and "authorization" not in metadata:
            metadata.add("authorization", f"Bearer {self._token}")
        if observe.trace() and "traceparent" not in metadata:
            metadata.add("traceparent", observe.trace())
        timeout = details.timeout
        if timeout is None and unary:
            timeout = self._deadline_seconds
        return grpc.aio.ClientCallDetails(
            details.method, timeout, metadata, details.credentials, details.wait_for_ready
        )


class _Unary(UnaryInterceptor):
    def __init__(self, extend: _Extend) -> None:
        self._extend = extend

    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        return await continuation(self._extend(client_call_details, True), request)


class _Streaming(StreamInterceptor):
    def __init__(self, extend: _Extend) -> None:
        self._extend = extend

    async def intercept_unary_stream(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        return await continuation(self._extend(client_call_details, False), request)
