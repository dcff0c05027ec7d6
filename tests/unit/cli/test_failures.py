"""Errors as lines and exit codes."""

from __future__ import annotations

import pytest

from foldline.cli import failures
from foldline.domain.errors import FoldlineError, Kind


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (Kind.INVALID, 2),
        (Kind.OUT_OF_RANGE, 2),
        (Kind.NOT_FOUND, 4),
        (Kind.ALREADY_EXISTS, 4),
        (Kind.CONFLICT, 4),
        (Kind.PRECONDITION, 4),
        (Kind.EXHAUSTED, 5),
        (Kind.UNAUTHENTICATED, 4),
        (Kind.FORBIDDEN, 4),
        (Kind.UNAVAILABLE, 5),
        (Kind.INTERNAL, 70),
    ],
)
def test_every_kind_of_error_has_its_exit_code(kind: Kind, code: int) -> None:
    assert failures.exit_code(FoldlineError(kind, "REASON", "message")) == code


def test_no_kind_is_forgotten() -> None:
    assert all(isinstance(failures.exit_code(FoldlineError(kind, "R", "m")), int) for kind in Kind)


def test_an_error_is_a_line_with_its_reason_and_a_hint() -> None:
    error = FoldlineError(Kind.NOT_FOUND, "RUN_NOT_FOUND", "no run begins with abc")

    assert failures.lines(error) == [
        "error: no run begins with abc (RUN_NOT_FOUND)",
        "hint: `foldline runs` lists the runs of the workspace",
    ]


def test_no_hint_is_better_than_an_empty_one() -> None:
    assert failures.lines(FoldlineError(Kind.INVALID, "ILLEGAL_NAME", "bad name")) == [
        "error: bad name (ILLEGAL_NAME)"
    ]
