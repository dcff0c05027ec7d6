"""Events from outside, for triggers: the CloudEvents specification for HTTP web hooks.

    POST    /hooks/{workspace}/{trigger}   an event in structured or binary mode
    OPTIONS /hooks/{workspace}/{trigger}   the handshake of senders that ask first

The bearer token is the trigger's secret, which only the scheduler can tell from a wrong one. The call to the
scheduler is made with a token that permits nothing else that matters: reading role, one minute.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import grpc
import msgspec

from foldline.access import identity, tokens
from foldline.access.admission import Admission
from foldline.access.identity import Caller
from foldline.api.scheduler.v1 import trigger_service_pb2 as pb
from foldline.chassis import clock, observe
from foldline.chassis.clock import Clock
from foldline.chassis.settings import Secret
from foldline.domain import names
from foldline.domain.errors import FoldlineError, Kind
from foldline.wire import incoming
from foldline_gateway import answers, gate
from foldline_gateway.answers import Receive, Scope, Send
from foldline_gateway.backends import Backends
from foldline_gateway.methods import Method

PREFIX = "/hooks/"

_ROLE = "viewer"
_TOKEN_SECONDS = 60
_CALL_SECONDS = 20.0


class Hooks:
    def __init__(
        self, methods: dict[str, Method], backends: Backends, key: Secret, now: Clock, admission: Admission
    ) -> None:
        self._deliver = methods["/foldline.api.scheduler.v1.TriggerService/ReceiveEvent"]
        self._backends = backends
        self._key = key
        self._clock = now
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            match scope["method"], *str(scope["path"]).split("/")[1:]:
                case "POST", "hooks", workspace, trigger:
                    with self._admission.place(f"workspace {workspace}", streaming=False):
                        await self._take(workspace, trigger, scope, receive, send)
                case "OPTIONS", "hooks", _, _:
                    await _permit(scope, send)
                case _:
                    raise FoldlineError(Kind.NOT_FOUND, "ROUTE_UNKNOWN", "there is no such address")
        except (FoldlineError, grpc.aio.AioRpcError) as error:
            await answers.refusal(send, error)

    async def _take(self, workspace: str, trigger: str, scope: Scope, receive: Receive, send: Send) -> None:
        """202 with the run, or with the reason why there is none: either way the event is dealt with."""
        secret = gate.bearer(answers.header(scope, "authorization"))
        self._enter(names.workspace(workspace), names.trigger(trigger))
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        event = incoming.of_http(headers, await _body(receive))
        request = pb.ReceiveEventRequest(workspace=workspace, trigger=trigger, event=event, secret=secret)
        reply = await self._backends.call(self._deliver, request, _CALL_SECONDS)
        taken = pb.ReceiveEventResponse.FromString(reply)
        answer: dict[str, Any] = {"run_id": taken.run_id}
        if taken.reason:
            answer = {"reason": taken.reason, "message": taken.message}
        await answers.json(send, HTTPStatus.ACCEPTED, msgspec.json.encode(answer))

    def _enter(self, workspace: str, trigger: str) -> None:
        observe.enter(clock.new_id())
        caller = Caller(f"hook:{workspace}/{trigger}", {workspace: _ROLE})
        token = tokens.issue(
            self._key,
            subject=caller.subject,
            grants=caller.grants,
            ttl_seconds=_TOKEN_SECONDS,
            now=self._clock.now(),
        )
        identity.enter(caller, token)


async def _permit(scope: Scope, send: Send) -> None:
    """Any origin may send here: the secret decides, not the origin."""
    origin = answers.header(scope, "webhook-request-origin")
    if not origin or not origin.isprintable():
        raise FoldlineError(Kind.INVALID, "ORIGIN_MISSING", "the handshake has a WebHook-Request-Origin")
    headers = [("webhook-allowed-origin", origin), ("allow", "POST")]
    if answers.header(scope, "webhook-request-rate"):
        headers.append(("webhook-allowed-rate", "*"))
    await answers.whole(send, HTTPStatus.OK, headers)


async def _body(receive: Receive) -> bytes:
    """The whole body; refused as soon as it is too long."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise FoldlineError(
                Kind.INVALID, "EVENT_UNREADABLE", "the sender left in the middle of the event"
            )
        piece: bytes = message.get("body", b"")
        body += piece
        if len(body) > incoming.LIMIT_BYTES:
            rule = f"an event has at most {incoming.LIMIT_BYTES} bytes"
            raise FoldlineError(Kind.INVALID, "EVENT_UNREADABLE", rule)
        if not message.get("more_body", False):
            return body
