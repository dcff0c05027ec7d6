"""Which lines of a log somebody wants. Pure.

Regular expressions come from strangers and run over millions of lines: RE2 matches them in linear time and
bounded memory, whatever they are.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import re2
from msgspec import Struct

from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.work import LogEntry
from foldline.execution import escapes

LONGEST = 1000
"""Characters of what is searched for."""


class Sieve(Struct, frozen=True, kw_only=True):
    """Made by `sieve`. What is empty lets every line pass."""

    rank: int | None = None
    since: datetime | None = None
    words: str = ""
    pattern: Any = None

    @property
    def is_open(self) -> bool:
        """Every line passes."""
        return self == Sieve()

    def passes(self, line: LogEntry) -> bool:
        if self.rank is not None and line.rank != self.rank:
            return False
        if self.since is not None and line.time < self.since:
            return False
        if not self.words and self.pattern is None:
            return True
        # Colours may stand in the middle of a word.
        text = escapes.plain(line.text)
        if self.words and self.words not in text.casefold():
            return False
        return self.pattern is None or self.pattern.search(text) is not None


def sieve(*, rank: int | None, since: datetime | None, search: str, pattern: str) -> Sieve:
    """Raises INVALID for what is no regular expression of RE2."""
    for name, text in (("search", search), ("pattern", pattern)):
        if len(text) > LONGEST:
            message = f"{name} has {len(text)} characters; {LONGEST} are allowed"
            raise FoldlineError(Kind.INVALID, "SEARCH_TOO_LONG", message)
    return Sieve(rank=rank, since=since, words=search.casefold(), pattern=_compiled(pattern))


def _compiled(pattern: str) -> Any:
    if not pattern:
        return None
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        message = f"{pattern!r} is no regular expression in the syntax of RE2: {said}"
        raise FoldlineError(Kind.INVALID, "PATTERN_INVALID", message) from error
