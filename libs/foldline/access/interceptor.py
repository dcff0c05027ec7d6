"""The policy applied: no RPC of any service is answered before its caller is known and permitted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

import grpc
import structlog

from foldline.access import policy, tokens
from foldline.access.identity import Caller, enter
from foldline.chassis.clock import Clock
from foldline.chassis.handlers import Context, Handler, Interceptor, Payload, Tick, wrap
from foldline.chassis.settings import Secret
from foldline.domain.errors import FoldlineError, Kind

_SCHEME = "bearer "


class AccessInterceptor(Interceptor):
    """Inside the call interceptor, which turns what is raised here into a status."""

    def __init__(self, key: Secret | str, clock: Clock) -> None:
        self._key = tokens.signing_key(key)  # a bad key stops the service at its start
        self._clock = clock

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

        def around(request: Payload, context: Context) -> AbstractAsyncContextManager[Tick | None]:
            return self._around(method, request, context)

        return wrap(handler, around)

    @asynccontextmanager
    async def _around(self, method: str, request: Payload, context: Context) -> AsyncIterator[Tick | None]:
        token = _token_of(context)
        caller = tokens.verify(self._key, token, self._clock.now())
        workspace = getattr(request, "workspace", "")
        _require_workspace(method, request, workspace)
        policy.check(caller, method, workspace)
        _bind(caller, token, workspace)
        yield None


def _token_of(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
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
