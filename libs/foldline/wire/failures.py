"""Errors as gRPC statuses and back, so that a client raises the error that the service raised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships no stubs

from foldline.domain.errors import FoldlineError, Kind

DOMAIN = "foldline"
RETRY_SECONDS = 1
_DETAILS_KEY = "grpc-status-details-bin"
_ARGUMENTS = frozenset({"kind", "reason", "message"})

CODES = {
    Kind.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Kind.ALREADY_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    Kind.CONFLICT: grpc.StatusCode.ABORTED,
    Kind.PRECONDITION: grpc.StatusCode.FAILED_PRECONDITION,
    Kind.OUT_OF_RANGE: grpc.StatusCode.OUT_OF_RANGE,
    Kind.EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Kind.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Kind.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    Kind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Kind.INTERNAL: grpc.StatusCode.INTERNAL,
}

_PASSING = (Kind.UNAVAILABLE, Kind.EXHAUSTED)
"""Kinds that invite to try again, also where nobody says when."""

_KINDS = {
    **{code: kind for kind, code in CODES.items()},
    grpc.StatusCode.DEADLINE_EXCEEDED: Kind.UNAVAILABLE,
    grpc.StatusCode.CANCELLED: Kind.UNAVAILABLE,
}


def to_status(error: Exception) -> status_pb2.Status | None:
    """The rich status of an error of ours: ErrorInfo, and RetryInfo where trying again may help.

    An error of a service that was asked on the way is passed on as it came. None for any other exception;
    the server then answers INTERNAL and logs it.
    """
    if isinstance(error, grpc.RpcError):
        error = from_rpc_error(error)
    if not isinstance(error, FoldlineError):
        return None
    number: int = CODES[error.kind].value[0]
    status = status_pb2.Status(code=number, message=error.message)
    fields = {key: str(value) for key, value in error.fields.items()}
    status.details.add().Pack(
        error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=fields)
    )
    if (seconds := retry_seconds(error)) is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(round(seconds * 1000))
        status.details.add().Pack(retry)
    return status


def retry_seconds(error: FoldlineError) -> float | None:
    """When trying again may help; None where it does not help by itself."""
    if error.retry_seconds is not None or error.kind not in _PASSING:
        return error.retry_seconds
    return RETRY_SECONDS


def from_rpc_error(error: grpc.RpcError) -> FoldlineError:
    """The error that the service raised; for one that no service of ours raised, the nearest there is."""
    code = error.code()
    details = error.details() or ""
    kind = _KINDS.get(code, Kind.INTERNAL)
    told = _details(error)
    seconds = _retry_info(told)
    info = _error_info(told)
    if info is None and code is grpc.StatusCode.RESOURCE_EXHAUSTED and seconds is None:
        # gRPC's own, of a message above its limit: trying again changes nothing.
        return FoldlineError(Kind.OUT_OF_RANGE, "MESSAGE_TOO_LARGE", details or "the message is too large")
    if info is None:
        words = details or code.name.lower().replace("_", " ")
        return FoldlineError(kind, code.name, words).again_in(seconds)
    # Data under the names of our constructor's own arguments cannot be passed on as keywords.
    fields = {key: value for key, value in info.metadata.items() if key not in _ARGUMENTS}
    return FoldlineError(kind, info.reason, details, **fields).again_in(seconds)


def _details(error: grpc.RpcError) -> Sequence[Any]:
    metadata: Iterable[tuple[str, bytes]] = error.trailing_metadata() or ()  # type: ignore[assignment]
    for key, value in metadata:
        if key == _DETAILS_KEY:
            try:
                return list(status_pb2.Status.FromString(value).details)
            except DecodeError:
                return ()
    return ()


def _error_info(details: Sequence[Any]) -> error_details_pb2.ErrorInfo | None:
    for detail in details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.domain == DOMAIN:
            return info
    return None


def _retry_info(details: Sequence[Any]) -> float | None:
    for detail in details:
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(retry):
            milliseconds: int = retry.retry_delay.ToMilliseconds()
            return milliseconds / 1000
    return None
