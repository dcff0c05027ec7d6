"""What the NATS client raises, in our vocabulary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import nats.errors

from foldline.domain.errors import FoldlineError, Kind

LOST = (nats.errors.Error, OSError, TimeoutError)
"""Everything that the client raises when server, stream or connection are not there."""


def unavailable(message: str) -> FoldlineError:
    return FoldlineError(Kind.UNAVAILABLE, "BUS_UNAVAILABLE", message)


def too_large(subject: str, size: int, limit: int) -> FoldlineError:
    return FoldlineError(
        Kind.INVALID,
        "MESSAGE_TOO_LARGE",
        f"a message of {size} bytes to {subject} is larger than the {limit} bytes that the bus takes",
        subject=subject,
        size=str(size),
        limit=str(limit),
    )


@contextmanager
def translated(doing: str) -> Iterator[None]:
    try:
        yield
    except LOST as error:
        raise unavailable(f"{doing} failed: {type(error).__name__}: {error}") from error
