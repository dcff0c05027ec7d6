"""Pages of a list: how many, from where. A token holds the key of the last row, so pages never shift.

Tokens are opaque to clients: what they are made of may change with any version.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec

from foldline.domain.errors import FoldlineError, Kind

DEFAULT_SIZE = 50
LARGEST_SIZE = 500

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    items: Sequence[T]
    next_token: str


class _Token(msgspec.Struct, frozen=True, array_like=True):
    query: list[str]
    after: list[str]


def size(wanted: int, largest: int = LARGEST_SIZE) -> int:
    """Rows of a page: 0 means the default, more than `largest` means `largest`."""
    if wanted < 0:
        raise FoldlineError(
            Kind.INVALID, "ILLEGAL_PAGE_SIZE", f"page_size is {wanted}, but must be 0 or more"
        )
    return min(wanted or DEFAULT_SIZE, largest)


def encode(query: Sequence[str], after: Sequence[str]) -> str:
    """The token of the page behind the row with the key `after` of the list that `query` asked for."""
    content = msgspec.json.encode(_Token(list(query), list(after)))
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def decode(token: str, query: Sequence[str], *, keys: int) -> tuple[str, ...]:
    """The key to go on behind; empty texts for the first page. Raises ILLEGAL_PAGE_TOKEN."""
    if not token:
        return ("",) * keys
    try:
        content = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        found = msgspec.json.decode(content, type=_Token)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise _illegal("it is not one that was given out") from error
    if found.query != list(query):
        raise _illegal("it belongs to another list")
    if len(found.after) != keys or any("\0" in key for key in found.after):
        raise _illegal("it is not one that was given out")
    return tuple(found.after)


def _illegal(rule: str) -> FoldlineError:
    return FoldlineError(Kind.INVALID, "ILLEGAL_PAGE_TOKEN", f"page_token: {rule}")
