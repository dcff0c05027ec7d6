"""Lengths of time and moments, as people type them."""

from __future__ import annotations

from datetime import UTC, datetime

from foldline.domain.errors import FoldlineError, Kind

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> int:
    """Seconds of "90s", "15m", "12h", "30d"; 0 for "". Raises ILLEGAL_TIME."""
    if not text:
        return 0
    number, unit = text[:-1], text[-1:]
    if not number.isdecimal() or unit not in _UNITS:
        message = f"{text!r} is no time; write a number with s, m, h or d, e.g. 12h"
        raise FoldlineError(Kind.INVALID, "ILLEGAL_TIME", message)
    return int(number) * _UNITS[unit]


def span(number: int) -> str:
    """The shortest text that `seconds` reads as that many."""
    unit = next(unit for unit in "dhms" if number % _UNITS[unit] == 0)
    return f"{number // _UNITS[unit]}{unit}"


def moment(text: str) -> datetime:
    """The moment of an ISO 8601 text; UTC where it names no offset. Raises ILLEGAL_TIME."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"{text!r} is no moment; write one such as 2026-11-24 or 2026-11-24T06:30:00+01:00"
        raise FoldlineError(Kind.INVALID, "ILLEGAL_TIME", message) from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
