"""All RPCs over HTTP: Connect (JSON and binary, unary and streams) and gRPC-Web, from the descriptors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, aclosing, contextmanager
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.request import RequestContext
from connectrpc.server import ConnectASGIApplication, Endpoint
from google.protobuf.message import Message

from foldline.chassis import clock, observe
from foldline.chassis.calls import Streams
from foldline.chassis.channels import MESSAGE_LIMIT_BYTES
from foldline.domain.errors import FoldlineError
from foldline_gateway import answers, gate, statuses
from foldline_gateway.backends import Backends
from foldline_gateway.codecs import JsonCodec, ProtoCodec, Reply
from foldline_gateway.gate import Gate
from foldline_gateway.methods import Method

LARGE_BYTES = 64 * 1024

Context = RequestContext[Message, Reply]


class Application(ConnectASGIApplication[Backends]):
    """The ASGI application for every method."""

    def __init__(self, methods: Sequence[Method], backends: Backends, keeper: Gate, streams: Streams) -> None:
        super().__init__(
            service=backends,
            endpoints=lambda service: {
                method.path: _endpoint(method, service, keeper, streams) for method in methods
            },
            codecs=[ProtoCodec(), JsonCodec()],
            read_max_bytes=MESSAGE_LIMIT_BYTES,
        )

        self._keeper = keeper

    @property
    def path(self) -> str:
        return "/"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """A large request of a stranger is refused before it is read, a small one in its protocol's words."""
        if scope["type"] == "http" and _is_large(scope):
            try:
                self._keeper.verify(answers.header(scope, "authorization"))
            except FoldlineError as error:
                await answers.refusal(send, error)
                return
        await super().__call__(scope, receive, send)


def _is_large(scope: Any) -> bool:
    length = answers.header(scope, "content-length")
    return answers.header(scope, "transfer-encoding") != "" or (
        length.isdecimal() and int(length) > LARGE_BYTES
    )


def _endpoint(method: Method, backends: Backends, keeper: Gate, streams: Streams) -> Any:
    info: MethodInfo[Message, Reply] = MethodInfo(
        name=method.name,
        service_name=method.service,
        input=method.request,
        output=Reply,
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=StreamType.SERVER_STREAM if method.streaming else StreamType.UNARY,
    )

    async def unary(request: Message, context: Context) -> Reply:
        with _answering(method), _entered(method, request, context, keeper):
            return Reply(method.reply, await backends.call(method, request, _seconds_left(context)))

    async def streaming(request: Message, context: Context) -> AsyncIterator[Reply]:
        with (
            _answering(method),
            _draining(streams) as tick,
            _entered(method, request, context, keeper),
        ):
            async with aclosing(backends.stream(method, request, _seconds_left(context))) as contents:
                async for content in contents:
                    yield Reply(method.reply, content)
                    tick()

    if method.streaming:
        return Endpoint.server_stream(method=info, function=streaming)
    return Endpoint.unary(method=info, function=unary)


def _entered(
    method: Method, request: Message, context: Context, keeper: Gate
) -> AbstractContextManager[None]:
    headers = context.request_headers
    observe.enter(clock.new_id(), headers.get("traceparent", ""))
    token = gate.bearer(headers.get("authorization", ""))
    workspace = getattr(request, "workspace", None)
    return keeper.admitted(method.path, workspace, token, streaming=method.streaming)


def _seconds_left(context: Context) -> float | None:
    left = context.timeout_ms
    return None if left is None else max(0.0, left / 1000)


@contextmanager
def _answering(method: Method) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the edge: whatever it is becomes an answer
        raise statuses.to_connect(error, method.path) from error


@contextmanager
def _draining(streams: Streams) -> Iterator[Callable[[], None]]:
    """A stream that is cut because the server stops says so, and the client comes again."""
    tick = streams.open()
    try:
        yield tick
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if not streams.draining.is_set() or task is None:
            raise
        task.uncancel()
        raise ConnectError(Code.UNAVAILABLE, "the server is shutting down; connect again") from error
    finally:
        streams.close()
