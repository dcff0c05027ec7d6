"""A real gRPC server that answers every RPC of every service as a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import Message

from foldline.chassis.calls import abort
from foldline.domain.errors import FoldlineError
from foldline.wire import failures
from foldline_gateway.methods import Method, all_methods

Context = Any
Answer = Callable[[Any, Context], Awaitable[Message]]
Answers = Callable[[Any, Context], AsyncIterator[Message]]

METHODS = {method.path: method for method in all_methods()}
RUNS = "/foldline.api.recorder.v1.RecorderService/"


class Call(NamedTuple):
    """What reached the backend."""

    path: str
    request: Any
    metadata: dict[str, Any]
    seconds_left: float | None


class Backend:
    """Unless told otherwise, every unary RPC gives an empty reply and every stream one empty message."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._answers: dict[str, Answer] = {}
        self._streams: dict[str, Answers] = {}
        self._refusals: dict[str, FoldlineError] = {}

    def answer(self, path: str, answer: Answer) -> None:
        self._answers[path] = answer

    def stream(self, path: str, answers: Answers) -> None:
        self._streams[path] = answers

    def refuse(self, path: str, error: FoldlineError) -> None:
        self._refusals[path] = error

    def handler(self, method: Method) -> grpc.RpcMethodHandler[Any, Any]:
        async def unary(request: Any, context: Context) -> Message:
            await self._enter(method, request, context)
            if method.path in self._answers:
                return await self._answers[method.path](request, context)
            return method.reply()

        async def streaming(request: Any, context: Context) -> AsyncIterator[Message]:
            await self._enter(method, request, context)
            if method.path not in self._streams:
                yield method.reply()
                return
            async for reply in self._streams[method.path](request, context):
                yield reply

        serialize = method.reply.SerializeToString
        if method.streaming:
            return grpc.unary_stream_rpc_method_handler(streaming, method.request.FromString, serialize)
        return grpc.unary_unary_rpc_method_handler(unary, method.request.FromString, serialize)

    async def _enter(self, method: Method, request: Any, context: Context) -> None:
        metadata = dict(context.invocation_metadata())
        self.calls.append(Call(method.path, request, metadata, context.time_remaining()))
        if method.path in self._refusals:
            # As every service of ours answers an error of ours.
            status = failures.to_status(self._refusals[method.path])
            assert status is not None
            await abort(context, status)


@asynccontextmanager
async def serve(backend: Backend) -> AsyncIterator[str]:
    """The backend on a free port; yields its address."""
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 32 * 1024 * 1024)])
    for service in {method.service for method in METHODS.values()}:
        handlers = {m.name: backend.handler(m) for m in METHODS.values() if m.service == service}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
