"""How many calls are under way at once in one process; what goes beyond is refused at once.

Unary calls and streams are counted apart, so that people who watch keep nobody from working. Of each half
may belong to one workspace (or, where a request names none, to one caller): a flood from one of them leaves
room for the others. Refusing costs next to nothing, so there is no queue that could grow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from foldline.domain.errors import FoldlineError, Kind

CALLS = 1000
"""Unary calls, and as many streams, at once: some tens of megabytes of one process."""

RETRY_SECONDS = 1.0


class Admission:
    """The places of one process."""

    def __init__(self, calls: int = CALLS) -> None:
        self._most = max(calls, 2)
        self._taken: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}
        self._all: Counter[bool] = Counter()

    def require(self, *, streaming: bool) -> None:
        """Raises EXHAUSTED where there is no place for anybody: asked before a request is read."""
        if self._all[streaming] >= self._most:
            raise refused("the service", _words(streaming), self._most)

    @contextmanager
    def place(self, whose: str, *, streaming: bool) -> Iterator[None]:
        """A place for as long as the block lasts. Raises EXHAUSTED."""
        taken, half = self._taken[streaming], self._most // 2
        self.require(streaming=streaming)
        if taken[whose] >= half:
            raise refused(whose, _words(streaming), half)
        taken[whose] += 1
        self._all[streaming] += 1
        try:
            yield
        finally:
            self._all[streaming] -= 1
            taken[whose] -= 1
            if not taken[whose]:
                del taken[whose]


def refused(whose: str, what: str, most: int) -> FoldlineError:
    message = f"{whose} has {most} {what} here at once, which is the most there may be; nothing was done"
    error = FoldlineError(Kind.EXHAUSTED, "TOO_MANY_CALLS", message, limit=str(most))
    return error.again_in(RETRY_SECONDS)


def _words(streaming: bool) -> str:
    return "streams" if streaming else "calls"
