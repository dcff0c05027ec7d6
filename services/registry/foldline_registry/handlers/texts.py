"""Limits of the free texts that people give to things."""

from __future__ import annotations

from foldline.domain.errors import FoldlineError, Kind

TITLE_LIMIT = 200
NOTES_LIMIT = 16 * 1024


def title(text: str) -> None:
    _limit("title", text, TITLE_LIMIT)


def notes(text: str) -> None:
    _limit("notes", text, NOTES_LIMIT)


def _limit(what: str, text: str, limit: int) -> None:
    if len(text) > limit:
        raise FoldlineError(
            Kind.INVALID, "TOO_LARGE", f"{what}: {len(text)} characters are more than {limit}", what=what
        )
