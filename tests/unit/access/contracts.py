"""Every service under foldline.api as its descriptor says, and a servicer for any of them."""

from __future__ import annotations

import pkgutil
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

import foldline.api
from foldline.access import bearer_metadata, caller
from foldline.chassis.rpc import Service


def services() -> list[ServiceDescriptor]:
    """Every service that is declared anywhere in the protos."""
    found: list[ServiceDescriptor] = []
    for module in pkgutil.walk_packages(foldline.api.__path__, "foldline.api."):
        if module.name.endswith("_pb2"):
            descriptor = import_module(module.name).DESCRIPTOR
            found.extend(descriptor.services_by_name.values())
    return found


def methods() -> dict[str, MethodDescriptor]:
    """Every RPC by its full path."""
    return {
        f"/{service.full_name}/{method.name}": method for service in services() for method in service.methods
    }


class Answers:
    """Answers every RPC with an empty message, and remembers who asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[tuple[str, str], ...]]] = []

    def service(self, descriptor: ServiceDescriptor) -> Service:
        handlers = {method.name: self._handler(method) for method in descriptor.methods}
        generic = grpc.method_handlers_generic_handler(descriptor.full_name, handlers)

        def add(_servicer: object, server: Any) -> None:
            server.add_generic_rpc_handlers((generic,))

        return Service(descriptor.full_name, add, self)

    def unlisted(self, name: str) -> Service:
        """A service with one method, Do, that no proto of ours declares."""

        async def answer(_request: bytes, _context: Any) -> bytes:
            self._remember()
            return b""

        generic = grpc.method_handlers_generic_handler(
            name, {"Do": grpc.unary_unary_rpc_method_handler(answer)}
        )

        def add(_servicer: object, server: Any) -> None:
            server.add_generic_rpc_handlers((generic,))

        return Service(name, add, self)

    def _handler(self, method: MethodDescriptor) -> Any:
        request, reply = GetMessageClass(method.input_type), GetMessageClass(method.output_type)

        async def answer(_request: Message, _context: Any) -> Message:
            self._remember()
            return reply()

        async def stream(_request: Message, _context: Any) -> AsyncIterator[Message]:
            self._remember()
            yield reply()
            yield reply()

        assert not method.client_streaming, "the policy reads the workspace from a single request"
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(
                stream,
                request_deserializer=request.FromString,
                response_serializer=reply.SerializeToString,
            )
        return grpc.unary_unary_rpc_method_handler(
            answer, request_deserializer=request.FromString, response_serializer=reply.SerializeToString
        )

    def _remember(self) -> None:
        self.asked.append((caller().subject, bearer_metadata()))


async def call(
    channel: grpc.aio.Channel, path: str, method: MethodDescriptor, workspace: str, token: str | None
) -> grpc.StatusCode:
    """Call an RPC and give the code of its answer."""
    request_class = GetMessageClass(method.input_type)
    has_workspace = "workspace" in method.input_type.fields_by_name
    request = request_class(**({"workspace": workspace} if has_workspace else {}))
    metadata = [("authorization", f"Bearer {token}")] if token is not None else []
    read = GetMessageClass(method.output_type).FromString
    try:
        if method.server_streaming:
            stream = channel.unary_stream(
                path, request_serializer=request_class.SerializeToString, response_deserializer=read
            )
            replies = [reply async for reply in stream(request, metadata=metadata, timeout=10)]
            assert len(replies) == 2
        else:
            unary = channel.unary_unary(
                path, request_serializer=request_class.SerializeToString, response_deserializer=read
            )
            await unary(request, metadata=metadata, timeout=10)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK
