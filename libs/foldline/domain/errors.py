"""One vocabulary of errors for every layer.

`kind` says what sort of refusal it is (and so which gRPC code it becomes, `wire.failures`), `reason` is a
stable UPPER_SNAKE word that programs may match, `message` names the thing and the rule for people, `fields`
carry the same as data. `retry_seconds` says when asking again may help, None that it does not help by itself.
What a user's step did wrong is never one of these: it is a Failure in an event.
"""

from __future__ import annotations

from enum import Enum
from typing import Self


class Kind(Enum):
    INVALID = "invalid"
    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    CONFLICT = "conflict"
    PRECONDITION = "precondition"
    OUT_OF_RANGE = "out_of_range"
    EXHAUSTED = "exhausted"
    """Too much at this moment: nothing was done, and the same may succeed later."""
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class FoldlineError(Exception):
    """Base of every error that Foldline raises on purpose."""

    retry_seconds: float | None = None

    def __init__(self, kind: Kind, reason: str, message: str, **fields: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.reason = reason
        self.message = message
        self.fields = fields

    def again_in(self, seconds: float | None) -> Self:
        """The same error, saying when asking again may help."""
        self.retry_seconds = seconds
        return self
