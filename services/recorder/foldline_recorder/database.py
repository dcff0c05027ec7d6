"""Errors of the recorder's own schema in our vocabulary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from foldline.domain.errors import FoldlineError, Kind
from foldline.pg.errors import is_unavailable


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not is_unavailable(error):
            raise
        raise FoldlineError(
            Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", f"the recorder's database cannot be reached: {error}"
        ) from error
