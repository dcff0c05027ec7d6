"""Who may pass: the one policy, applied to HTTP requests as the gRPC interceptor applies it to calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from foldline.access import identity, policy, tokens
from foldline.access.admission import Admission
from foldline.access.interceptor import owner_of_call
from foldline.chassis.clock import Clock
from foldline.chassis.settings import Secret
from foldline.domain.errors import FoldlineError, Kind

_SCHEME = "bearer "
_SESSION_SECONDS = 300


class Gate:
    """Admits callers, or raises UNAUTHENTICATED, INVALID or FORBIDDEN."""

    def __init__(self, key: Secret, clock: Clock, admission: Admission) -> None:
        self._key = key
        self._clock = clock
        self._admission = admission

    @contextmanager
    def admitted(
        self, rpc: str, workspace: str | None, token: str, *, streaming: bool = False
    ) -> Iterator[None]:
        """Let the token's holder call `rpc`, and take a place for the call as long as the block lasts."""
        self.admit(rpc, workspace, token)
        whose = owner_of_call(identity.caller(), workspace or "")
        with self._admission.place(whose, streaming=streaming):
            yield

    def admit(self, rpc: str, workspace: str | None, token: str) -> None:
        """Let the token's holder call `rpc`; from here on the present task acts in his name.

        `workspace` is None where the request has no such field.
        """
        caller = tokens.verify(self._key, token, self._clock.now())
        if workspace == "" and policy.RULES[rpc].scope == "workspace":
            raise FoldlineError(Kind.INVALID, "WORKSPACE_MISSING", "the request names no workspace", rpc=rpc)
        policy.check(caller, rpc, workspace or "")
        identity.enter(caller, token)
        structlog.contextvars.bind_contextvars(actor=caller.subject)

    def verify(self, authorization: str) -> None:
        """Raises UNAUTHENTICATED where the header has no valid token."""
        tokens.verify(self._key, bearer(authorization), self._clock.now())

    def reading_token(self, workspace: str) -> tuple[str, int]:
        """A token of the present caller that can only read this workspace, and its life in seconds."""
        token = tokens.issue(
            self._key,
            subject=identity.caller().subject,
            grants={workspace: "viewer"},
            ttl_seconds=_SESSION_SECONDS,
            now=self._clock.now(),
        )
        return token, _SESSION_SECONDS


def bearer(authorization: str) -> str:
    """The token in an Authorization header."""
    if not authorization.lower().startswith(_SCHEME):
        raise FoldlineError(
            Kind.UNAUTHENTICATED, "TOKEN_MISSING", "the request has no bearer token (header: Authorization)"
        )
    return authorization[len(_SCHEME) :].strip()
