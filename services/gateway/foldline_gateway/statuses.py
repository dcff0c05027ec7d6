"""Errors on their way out: as a gRPC status, as a Connect error, as an HTTP answer. Details are kept."""

from __future__ import annotations

import math
from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple

import grpc
import msgspec
from connectrpc.code import Code
from connectrpc.errors import ConnectError, ErrorDetail
from google.protobuf.message import DecodeError
from google.rpc import status_pb2  # type: ignore[import-untyped]  # ships no stubs
from protobuf.wkt import Any as AnyMessage

from foldline.chassis import logs
from foldline.chassis.calls import STATUS_DETAILS
from foldline.domain.errors import FoldlineError, Kind
from foldline.wire import failures

log = logs.logger()

_CONNECT_CODES = {
    code.value[0]: Code(code.name.lower().replace("cancelled", "canceled"))
    for code in grpc.StatusCode
    if code is not grpc.StatusCode.OK
}

_HTTP = {
    Kind.INVALID: HTTPStatus.BAD_REQUEST,
    Kind.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Kind.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    Kind.CONFLICT: HTTPStatus.CONFLICT,
    Kind.PRECONDITION: HTTPStatus.BAD_REQUEST,
    Kind.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
    Kind.EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    Kind.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Kind.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Kind.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Kind.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""As Connect maps its codes."""


def to_status(error: Exception) -> status_pb2.Status | None:
    """The rich status of an error that somebody raised on purpose: we, or the service that was asked."""
    if isinstance(error, grpc.aio.AioRpcError):
        return _passed_on(error)
    return failures.to_status(error)


def to_connect(error: Exception, rpc: str) -> ConnectError:
    """The same for Connect and gRPC-Web. An unexpected error is logged here and says nothing outside."""
    if isinstance(error, ConnectError):
        return error
    status = to_status(error)
    if status is None:
        log.error("rpc_failed", rpc=rpc, exc_info=error)
        return ConnectError(Code.INTERNAL, "internal error; the gateway's log has the cause")
    details = [
        ErrorDetail(AnyMessage(type_url=detail.type_url, value=detail.value)) for detail in status.details
    ]
    return ConnectError(_CONNECT_CODES[status.code], status.message, details)


class Refusal(NamedTuple):
    """An error for a plain HTTP route: a JSON body, and in how many seconds to come again (0: no word)."""

    status: HTTPStatus
    body: bytes
    retry_seconds: int


def to_http(error: FoldlineError | grpc.aio.AioRpcError) -> Refusal:
    known = error if isinstance(error, FoldlineError) else failures.from_rpc_error(error)
    body = {"code": known.kind.value, "reason": known.reason, "message": known.message}
    seconds = math.ceil(failures.retry_seconds(known) or 0)
    return Refusal(_HTTP[known.kind], msgspec.json.encode(body), seconds)


def _passed_on(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    bare = status_pb2.Status(code=error.code().value[0], message=error.details() or "")
    metadata: Iterable[tuple[str, str | bytes]] = error.trailing_metadata() or ()  # type: ignore[assignment]
    for key, value in metadata:
        if key == STATUS_DETAILS and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                return bare
    return bare
