"""The gRPC front door: every service of the installation behind one port.

Requests are read as far as the policy needs (the workspace); replies pass through as bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from itertools import groupby
from typing import Any

import grpc
from google.protobuf.message import Message

from foldline.chassis import rpc
from foldline.chassis.handlers import Context, Handler
from foldline_gateway.backends import Backends
from foldline_gateway.methods import Method


def services(methods: Sequence[Method], backends: Backends) -> list[rpc.Service]:
    """For rpc.serve: each proto service, answered by its backend."""
    return [
        rpc.Service(name=name, add=_adder(name, list(of_service)), servicer=backends)
        for name, of_service in groupby(methods, key=lambda method: method.service)
    ]


def _adder(service: str, methods: Iterable[Method]) -> Callable[[Any, Any], None]:
    def add(backends: Backends, server: grpc.aio.Server) -> None:
        handlers = {method.name: _handler(method, backends) for method in methods}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))

    return add


def _handler(method: Method, backends: Backends) -> Handler:
    async def unary(request: Message, context: Context) -> bytes:
        return await backends.call(method, request, context.time_remaining())

    async def streaming(request: Message, context: Context) -> AsyncIterator[bytes]:
        async with aclosing(backends.stream(method, request, context.time_remaining())) as replies:
            async for reply in replies:
                yield reply

    deserialize = method.request.FromString
    if method.streaming:
        return grpc.unary_stream_rpc_method_handler(streaming, request_deserializer=deserialize)
    return grpc.unary_unary_rpc_method_handler(unary, request_deserializer=deserialize)
