"""Who runs what next. Pure: no clock, no I/O, so that every choice can be explained and tested."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

DEFAULT_POOL = "default"


class Candidate(Struct, frozen=True):
    """An executor session as the choice sees it."""

    session: str
    region: str
    pool: str
    free: int


def choose(candidates: Iterable[Candidate], *, region: str, pool: str) -> str | None:
    """The session that gets the next attempt: of those that fit, the one with the most free slots.

    Ties go to the smallest session id, so that equal situations give equal choices.
    """
    fitting = [
        candidate
        for candidate in candidates
        if candidate.free > 0 and candidate.region == region and candidate.pool == (pool or DEFAULT_POOL)
    ]
    if not fitting:
        return None
    return min(fitting, key=lambda candidate: (-candidate.free, candidate.session)).session
