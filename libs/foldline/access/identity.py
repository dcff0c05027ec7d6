"""Who is calling: what a verified token says, and the caller of the RPC that is being handled."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

import msgspec

from foldline.domain.errors import FoldlineError, Kind

EVERYWHERE = "*"
"""The workspace of a grant that holds in every workspace."""


class Caller(msgspec.Struct, frozen=True):
    """A subject and its role per workspace; "*" stands for every workspace."""

    subject: str
    grants: Mapping[str, str] = {}


_caller: ContextVar[Caller | None] = ContextVar("foldline_caller", default=None)
_token: ContextVar[str] = ContextVar("foldline_token", default="")


def caller() -> Caller:
    """The caller of the present RPC. Raises UNAUTHENTICATED outside of one."""
    current = _caller.get()
    if current is None:
        raise FoldlineError(Kind.UNAUTHENTICATED, "TOKEN_MISSING", "there is no caller here")
    return current


def enter(caller: Caller, token: str) -> None:
    """Say who is calling. Called by the interceptor, and by whoever acts for somebody."""
    _caller.set(caller)
    _token.set(token)


def bearer_metadata() -> tuple[tuple[str, str], ...]:
    """Call metadata that passes the present caller's own token on to the next service."""
    token = _token.get()
    return (("authorization", f"Bearer {token}"),) if token else ()
