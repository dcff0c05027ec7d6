"""The outermost interceptor: what every RPC of every service gets.

It binds what the call is a part of, logs and measures it, turns errors into statuses, and ends idle streams
when the server drains. The only place where an unexpected exception of a servicer is caught.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

import grpc
import structlog
from google.rpc import status_pb2  # type: ignore[import-untyped]  # ships no stubs

from foldline.chassis import clock, logs, metrics, observe
from foldline.chassis.handlers import Context, Handler, Interceptor, Payload, Tick, wrap

log = logs.logger()

_seconds = metrics.histogram("foldline_rpc_seconds", "Time of RPCs answered", ("rpc", "code"))

Translate = Callable[[Exception], status_pb2.Status | None]
"""The status of an error that was raised on purpose; None for any other."""

STATUS_DETAILS = "grpc-status-details-bin"
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_INTERNAL: int = grpc.StatusCode.INTERNAL.value[0]
SLOW_SECONDS = 1.0
"""What was answered well, and sooner, is counted and not logged: a line costs as much as a small answer."""

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_QUIET = ("/grpc.health.", "/grpc.reflection.")


class Streams:
    """The open reply streams of one server, and when each was last heard of."""

    def __init__(self) -> None:
        self.draining = asyncio.Event()
        self._heard: dict[asyncio.Task[object], float] = {}

    def open(self) -> Tick:
        task = asyncio.current_task()
        assert task is not None

        def tick() -> None:
            self._heard[task] = time.monotonic()

        tick()
        return tick

    def close(self) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._heard.pop(task, None)

    def end_idle(self, seconds: float) -> None:
        """Cut off the streams that sent nothing for so long; a download in progress goes on."""
        limit = time.monotonic() - seconds
        for task, heard in list(self._heard.items()):
            if heard <= limit:
                task.cancel()


class CallInterceptor(Interceptor):
    def __init__(self, translate: Translate, streams: Streams) -> None:
        self._translate = translate
        self._streams = streams

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        handler = await continuation(handler_call_details)
        if cast("Handler | None", handler) is None:  # grpc's answer for a method that nobody registered
            return handler
        method, streaming = handler_call_details.method, handler.response_streaming

        def around(_request: Payload, context: Context) -> AbstractAsyncContextManager[Tick | None]:
            return self._around(method, streaming, context)

        return wrap(handler, around)

    @asynccontextmanager
    async def _around(self, method: str, streaming: bool, context: Context) -> AsyncIterator[Tick | None]:
        _bind(method, context)
        start = time.perf_counter()
        code = grpc.StatusCode.OK
        tick = self._streams.open() if streaming else None
        try:
            yield tick
        except grpc.aio.AbortError:
            code = _code_of(context)
            raise
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            if streaming and self._streams.draining.is_set() and not context.cancelled():
                code = grpc.StatusCode.UNAVAILABLE
                await context.abort(code, "the server is shutting down; connect again")
            raise
        except Exception as error:  # noqa: BLE001 - the one place of a service
            status = self._status(method, error)
            code = _CODES[status.code]
            await abort(context, status)
        finally:
            if streaming:
                self._streams.close()
            _record(method, code, time.perf_counter() - start)

    def _status(self, method: str, error: Exception) -> status_pb2.Status:
        status = self._translate(error)
        if status is None or status.code == _INTERNAL:
            log.error("rpc_failed", rpc=method, exc_info=error)
        if status is None:
            message = "internal error; the server's log has the cause"
            return status_pb2.Status(code=_INTERNAL, message=message)
        return status


async def abort(context: Context, status: status_pb2.Status) -> None:
    """End the call with a rich status (grpc.aio has no abort_with_status)."""
    details = ((STATUS_DETAILS, status.SerializeToString()),) if status.details else ()
    await context.abort(_CODES[status.code], status.message, details)


def _bind(method: str, context: Context) -> None:
    # Each RPC runs in a task and a context of its own, so nothing has to be unbound.
    metadata = dict(context.invocation_metadata() or ())
    given = str(metadata.get("traceparent", ""))
    trace = given if _TRACEPARENT.fullmatch(given) else ""
    correlation = clock.new_id()
    observe.enter(correlation, trace)
    structlog.contextvars.bind_contextvars(rpc=method, correlation=correlation)
    if trace:
        structlog.contextvars.bind_contextvars(trace=trace)


def _code_of(context: Context) -> grpc.StatusCode:
    code = context.code()
    return _CODES.get(code, grpc.StatusCode.UNKNOWN) if isinstance(code, int) else code


def _record(method: str, code: grpc.StatusCode, seconds: float) -> None:
    _seconds.labels(method, code.name).observe(seconds)
    is_usual = code is grpc.StatusCode.OK and seconds < SLOW_SECONDS
    write = log.debug if is_usual or method.startswith(_QUIET) else log.info
    write("rpc_answered", code=code.name, seconds=round(seconds, 6))
