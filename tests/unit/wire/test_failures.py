from __future__ import annotations

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]
from grpc.aio import AioRpcError, Metadata

from foldline.domain.errors import FoldlineError, Kind
from foldline.wire import failures


def _as_rpc_error(status: status_pb2.Status) -> AioRpcError:
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    trailing = Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return _rpc_error(code, status.message, trailing)


def _rpc_error(code: grpc.StatusCode, details: str, trailing: Metadata | None = None) -> AioRpcError:
    return AioRpcError(code, Metadata(), trailing or Metadata(), details, "")


@pytest.mark.parametrize("kind", Kind)
def test_an_error_survives_the_way_over_the_wire(kind: Kind) -> None:
    error = FoldlineError(kind, "STEP_ALREADY_FINISHED", "step a has finished", step="a", run="r")

    status = failures.to_status(error)
    assert status is not None
    received = failures.from_rpc_error(_as_rpc_error(status))

    assert (received.kind, received.reason, received.message, received.fields) == (
        kind,
        "STEP_ALREADY_FINISHED",
        "step a has finished",
        {"step": "a", "run": "r"},
    )


def test_every_kind_has_a_code_of_its_own() -> None:
    assert set(failures.CODES) == set(Kind)
    assert len(set(failures.CODES.values())) == len(Kind)


@pytest.mark.parametrize("kind", [Kind.UNAVAILABLE, Kind.EXHAUSTED])
def test_what_passes_says_when_to_try_again(kind: Kind) -> None:
    status = failures.to_status(FoldlineError(kind, "LEDGER_DOWN", "no ledger"))
    assert status is not None
    retry = error_details_pb2.RetryInfo()

    assert any(detail.Unpack(retry) for detail in status.details)
    assert retry.retry_delay.seconds == failures.RETRY_SECONDS


def test_the_hint_when_to_try_again_survives_the_way_over_the_wire() -> None:
    error = FoldlineError(Kind.EXHAUSTED, "TOO_MANY_RUNS", "too many").again_in(2.5)

    status = failures.to_status(error)
    assert status is not None

    assert failures.from_rpc_error(_as_rpc_error(status)).retry_seconds == 2.5


def test_other_kinds_do_not_invite_a_retry() -> None:
    status = failures.to_status(FoldlineError(Kind.INVALID, "BAD", "bad"))
    assert status is not None

    assert not any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in status.details)


def test_an_exception_that_is_not_ours_is_not_translated() -> None:
    assert failures.to_status(KeyError("secret")) is None


def test_an_error_of_the_next_service_is_passed_on_as_it_came() -> None:
    original = failures.to_status(
        FoldlineError(Kind.NOT_FOUND, "WORKFLOW_NOT_FOUND", "no such", workflow="w")
    )
    assert original is not None

    assert failures.to_status(_as_rpc_error(original)) == original


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, Kind.UNAVAILABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Kind.UNAVAILABLE),
        (grpc.StatusCode.CANCELLED, Kind.UNAVAILABLE),
        (grpc.StatusCode.PERMISSION_DENIED, Kind.FORBIDDEN),
        (grpc.StatusCode.UNIMPLEMENTED, Kind.INTERNAL),
        (grpc.StatusCode.UNKNOWN, Kind.INTERNAL),
    ],
)
def test_an_error_that_no_service_raised_becomes_the_nearest_of_ours(
    code: grpc.StatusCode, kind: Kind
) -> None:
    received = failures.from_rpc_error(_rpc_error(code, "connection refused"))

    assert (received.kind, received.reason, received.message) == (kind, code.name, "connection refused")


def test_an_error_without_words_still_says_something() -> None:
    received = failures.from_rpc_error(_rpc_error(grpc.StatusCode.UNAVAILABLE, ""))

    assert received.message == "unavailable"


def test_details_that_are_not_readable_do_not_hide_the_error() -> None:
    trailing = Metadata(("grpc-status-details-bin", b"\xff\xff\xff"))
    broken = _rpc_error(grpc.StatusCode.NOT_FOUND, "no such run", trailing)

    assert failures.from_rpc_error(broken).kind is Kind.NOT_FOUND


def test_details_of_another_system_are_not_taken_for_ours() -> None:
    status = status_pb2.Status(code=code_pb2.NOT_FOUND, message="no such bucket")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="NO_BUCKET", domain="elsewhere"))

    assert failures.from_rpc_error(_as_rpc_error(status)).reason == "NOT_FOUND"


def test_fields_named_like_our_own_arguments_do_not_break_the_client() -> None:
    status = status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message="no")
    info = error_details_pb2.ErrorInfo(reason="BAD", domain="foldline", metadata={"message": "x", "a": "b"})
    status.details.add().Pack(info)

    assert failures.from_rpc_error(_as_rpc_error(status)).fields == {"a": "b"}


def test_a_message_above_grpcs_limit_is_not_sent_again() -> None:
    refused = _rpc_error(grpc.StatusCode.RESOURCE_EXHAUSTED, "Received message larger than max (40 vs. 32)")

    received = failures.from_rpc_error(refused)

    assert (received.kind, received.reason) == (Kind.OUT_OF_RANGE, "MESSAGE_TOO_LARGE")
    assert failures.retry_seconds(received) is None
