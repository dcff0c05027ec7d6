"""The policy applied: no RPC of any service is answered before its caller is known and permitted.

Who has no valid token, or comes when all places are taken, is refused before his request is read: however
large it is, it stays in the sender's memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

import grpc
import structlog

from foldline.access import policy, tokens
from foldline.access.admission import Admission
from foldline.access.identity import Caller, enter
from foldline.chassis.clock import Clock
from foldline.chassis.handlers import Context, Handler, Interceptor, Payload, Tick, wrap
from foldline.chassis.settings import Secret
from foldline.domain.errors import FoldlineError, Kind

_SCHEME = "bearer "


class AccessInterceptor(Interceptor):
    """Inside the call interceptor, which turns what is raised here into a status."""

    def __init__(self, key: Secret | str, clock: Clock, admission: Admission | None = None) -> None:
        self._key = tokens.signing_key(key)  # a bad key stops the service at its start
        self._clock = clock
        self._admission = admission or Admission()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        # None: nobody registered the method, grpc answers UNIMPLEMENTED.
        if cast("Handler | None", handler) is None or policy.is_open(method):
            return handler
        streaming = handler.response_streaming
        try:
            token = _token_of(handler_call_details)
            caller = tokens.verify(self._key, token, self._clock.now())
            self._admission.require(streaming=streaming)
        except FoldlineError as error:
            return _refusing(error)

        def around(request: Payload, _: Context) -> AbstractAsyncContextManager[Tick | None]:
            return self._around(method, request, caller, token, streaming)

        return wrap(handler, around)

    @asynccontextmanager
    async def _around(
        self, method: str, request: Payload, caller: Caller, token: str, streaming: bool
    ) -> AsyncIterator[Tick | None]:
        workspace = getattr(request, "workspace", "")
        _require_workspace(method, request, workspace)
        policy.check(caller, method, workspace)
        _bind(caller, token, workspace)
        with self._admission.place(owner_of_call(caller, workspace), streaming=streaming):
            yield None


def owner_of_call(caller: Caller, workspace: str) -> str:
    """Whose place a call takes, in words."""
    return f"workspace {workspace}" if workspace else caller.subject


def _refusing(error: FoldlineError) -> Handler:
    """A handler of streamed requests, whatever the method's are: it alone is called before one is read."""

    async def refuse(_requests: Payload, _context: Context) -> None:
        raise error

    return grpc.stream_stream_rpc_method_handler(refuse)


def _token_of(details: grpc.HandlerCallDetails) -> str:
    for key, value in details.invocation_metadata or ():
        if key == "authorization" and isinstance(value, str) and value.lower().startswith(_SCHEME):
            return value[len(_SCHEME) :].strip()
    raise FoldlineError(
        Kind.UNAUTHENTICATED, "TOKEN_MISSING", "the call has no bearer token (metadata: authorization)"
    )


def _require_workspace(method: str, request: Payload, workspace: str) -> None:
    rule = policy.RULES.get(method)
    if rule is not None and rule.scope == "workspace" and hasattr(request, "workspace") and not workspace:
        raise FoldlineError(Kind.INVALID, "WORKSPACE_MISSING", "the request names no workspace", rpc=method)


def _bind(caller: Caller, token: str, workspace: str) -> None:
    enter(caller, token)
    structlog.contextvars.bind_contextvars(actor=caller.subject)
    if workspace:
        structlog.contextvars.bind_contextvars(workspace=workspace)
