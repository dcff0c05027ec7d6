"""Events from outside: both modes of CloudEvents over HTTP, the secret, the handshake of senders."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest
from tests.integration.gateway.backend import Backend
from tests.integration.gateway.callers import KEY

from foldline.access import tokens
from foldline.api.scheduler.v1 import trigger_service_pb2 as pb
from foldline.chassis.clock import SystemClock
from foldline.domain.errors import FoldlineError, Kind

DELIVER = "/foldline.api.scheduler.v1.TriggerService/ReceiveEvent"
HOOK = "/hooks/lab/orders"
EVENT = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order", "data": {"size": 3}}
SECRET = {"authorization": "Bearer the-secret"}


def answering(backend: Backend, **fields: str) -> None:
    async def answer(_request: Any, _context: Any) -> pb.ReceiveEventResponse:
        return pb.ReceiveEventResponse(**fields)

    backend.answer(DELIVER, answer)


async def test_an_event_in_structured_mode_reaches_the_scheduler(
    browser: httpx.AsyncClient, backend: Backend
) -> None:
    answering(backend, run_id="r-1")
    headers = {**SECRET, "content-type": "application/cloudevents+json"}

    reply = await browser.post(HOOK, content=msgspec.json.encode(EVENT), headers=headers)

    assert (reply.status_code, reply.json()) == (202, {"run_id": "r-1"})
    (call,) = backend.calls
    assert (call.request.workspace, call.request.trigger, call.request.secret) == (
        "lab",
        "orders",
        "the-secret",
    )
    assert msgspec.json.decode(call.request.event) == EVENT


async def test_the_gateway_calls_with_a_token_that_may_hardly_anything(
    browser: httpx.AsyncClient, backend: Backend
) -> None:
    headers = {**SECRET, "content-type": "application/cloudevents+json"}
    await browser.post(HOOK, content=b"{}", headers=headers)

    (call,) = backend.calls
    token = call.metadata["authorization"].removeprefix("Bearer ")
    caller = tokens.verify(KEY, token, SystemClock().now())
    assert (caller.subject, dict(caller.grants)) == ("hook:lab/orders", {"lab": "viewer"})


async def test_an_event_in_binary_mode_is_made_structured(
    browser: httpx.AsyncClient, backend: Backend
) -> None:
    headers = {
        **SECRET,
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/shop",
        "ce-type": "order",
    }

    await browser.post(HOOK, json=EVENT["data"], headers=headers)

    (call,) = backend.calls
    assert msgspec.json.decode(call.request.event) == {**EVENT, "datacontenttype": "application/json"}


async def test_an_event_that_was_ignored_is_accepted_with_the_reason(
    browser: httpx.AsyncClient, backend: Backend
) -> None:
    answering(backend, reason="filtered", message="the filter is false")
    headers = {**SECRET, "content-type": "application/cloudevents+json"}

    reply = await browser.post(HOOK, content=msgspec.json.encode(EVENT), headers=headers)

    assert reply.status_code == 202
    assert reply.json() == {"reason": "filtered", "message": "the filter is false"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "reason"),
    [
        ("POST", HOOK, {}, 401, "TOKEN_MISSING"),
        ("POST", HOOK, {**SECRET, "content-type": "text/plain"}, 400, "EVENT_UNREADABLE"),
        ("POST", "/hooks/lab", SECRET, 404, "ROUTE_UNKNOWN"),
        ("POST", "/hooks/Lab!/x", SECRET, 400, "ILLEGAL_NAME"),
        ("GET", HOOK, SECRET, 404, "ROUTE_UNKNOWN"),
        ("OPTIONS", HOOK, {}, 400, "ORIGIN_MISSING"),
    ],
)
async def test_what_is_no_delivery_is_refused_before_the_scheduler_hears_of_it(
    browser: httpx.AsyncClient,
    backend: Backend,
    method: str,
    path: str,
    headers: dict[str, str],
    status: int,
    reason: str,
) -> None:
    reply = await browser.request(method, path, headers=headers)

    assert (reply.status_code, reply.json()["reason"]) == (status, reason)
    assert backend.calls == []


async def test_an_event_that_is_too_long_is_refused(browser: httpx.AsyncClient, backend: Backend) -> None:
    headers = {**SECRET, "content-type": "application/cloudevents+json"}

    reply = await browser.post(HOOK, content=b"x" * 100_000, headers=headers)

    assert (reply.status_code, reply.json()["reason"]) == (400, "EVENT_UNREADABLE")
    assert backend.calls == []


async def test_the_schedulers_refusal_comes_through(browser: httpx.AsyncClient, backend: Backend) -> None:
    backend.refuse(DELIVER, FoldlineError(Kind.UNAUTHENTICATED, "SECRET_WRONG", "not the secret"))
    headers = {**SECRET, "content-type": "application/cloudevents+json"}

    reply = await browser.post(HOOK, content=b"{}", headers=headers)

    assert (reply.status_code, reply.json()["reason"]) == (401, "SECRET_WRONG")


async def test_a_sender_that_asks_first_is_permitted(browser: httpx.AsyncClient, backend: Backend) -> None:
    reply = await browser.options(
        HOOK, headers={"webhook-request-origin": "shop.example", "webhook-request-rate": "120"}
    )

    assert reply.status_code == 200
    assert reply.headers["webhook-allowed-origin"] == "shop.example"
    assert reply.headers["webhook-allowed-rate"] == "*"
    assert backend.calls == []
