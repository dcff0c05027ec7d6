"""RPCs over HTTP: Connect with JSON and binary, streams, gRPC-Web, errors and access."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # ships no stubs
from tests.integration.gateway.backend import METHODS, RUNS, Backend, serve
from tests.integration.gateway.callers import bearer, everywhere, settings, token
from tests.waiting import until

from foldline.api.recorder.v1 import recorder_service_pb2 as recorder
from foldline.chassis.lifecycle import Lifecycle
from foldline.domain.errors import FoldlineError, Kind
from foldline_gateway import app

LAB = {"workspace": "lab"}


async def a_run(request: Any, _context: Any) -> recorder.GetRunResponse:
    run = recorder.Run(run_id=request.run_id, workspace=request.workspace, version=7)
    run.parameters.update({"rate": 0.5})
    return recorder.GetRunResponse(run=run)


def envelopes(body: bytes) -> list[tuple[int, bytes]]:
    """Connect's and gRPC-Web's frames: flags, length, content."""
    found = []
    while body:
        flags, length = struct.unpack(">BI", body[:5])
        found.append((flags, body[5 : 5 + length]))
        body = body[5 + length :]
    return found


def enveloped(content: bytes) -> bytes:
    return struct.pack(">BI", 0, len(content)) + content


async def call(
    browser: httpx.AsyncClient, path: str, fields: dict[str, str], headers: dict[str, str]
) -> tuple[int, str]:
    """Number of replies and error code of any RPC, called with JSON."""
    if not METHODS[path].streaming:
        reply = await browser.post(path, json=fields, headers=headers)
        return (1, "") if reply.status_code == 200 else (0, reply.json()["code"])
    headers = {**headers, "content-type": "application/connect+json"}
    reply = await browser.post(path, content=enveloped(json.dumps(fields).encode()), headers=headers)
    *messages, (_, end) = envelopes(reply.content)
    return len(messages), json.loads(end).get("error", {}).get("code", "")


async def test_a_script_calls_with_plain_json(browser: httpx.AsyncClient, backend: Backend) -> None:
    backend.answer(RUNS + "GetRun", a_run)

    reply = await browser.post(RUNS + "GetRun", json={**LAB, "runId": "r-1"}, headers=bearer(lab="viewer"))

    assert reply.status_code == 200, reply.text
    assert reply.json() == {
        "run": {"runId": "r-1", "workspace": "lab", "version": "7", "parameters": {"rate": 0.5}}
    }


async def test_a_persons_answer_is_plain_json(browser: httpx.AsyncClient, backend: Backend) -> None:
    path = "/foldline.api.scheduler.v1.SchedulerService/AnswerWait"
    body = {**LAB, "run_id": "r-1", "step": "release", "approved": False, "comment": "not yet"}

    reply = await browser.post(path, json=body, headers=bearer(lab="operator"))
    refused = await browser.post(path, json=body, headers=bearer(lab="viewer"))

    assert (reply.status_code, refused.status_code) == (200, 403)
    (asked,) = [call.request for call in backend.calls if call.path == path]
    assert (asked.WhichOneof("answer"), asked.approved, asked.comment) == ("approved", False, "not yet")


async def test_a_binary_reply_passes_through_as_it_came(browser: httpx.AsyncClient, backend: Backend) -> None:
    backend.answer(RUNS + "GetRun", a_run)
    request = recorder.GetRunRequest(workspace="lab", run_id="r-1").SerializeToString()
    headers = {**bearer(lab="viewer"), "content-type": "application/proto"}

    reply = await browser.post(RUNS + "GetRun", content=request, headers=headers)

    assert recorder.GetRunResponse.FromString(reply.content).run.run_id == "r-1"


async def test_the_backend_gets_token_trace_and_deadline(
    browser: httpx.AsyncClient, backend: Backend
) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {**bearer(lab="viewer"), "traceparent": trace, "connect-timeout-ms": "5000"}

    await browser.post(RUNS + "GetRun", json=LAB, headers=headers)

    (call,) = backend.calls
    assert call.metadata["authorization"] == headers["authorization"]
    assert call.metadata["traceparent"] == trace
    assert call.seconds_left is not None
    assert 4 < call.seconds_left < 5.5  # gRPC rounds up what is left


async def test_a_deadline_that_passes_is_told(browser: httpx.AsyncClient, backend: Backend) -> None:
    async def never(_request: Any, _context: Any) -> recorder.GetRunResponse:
        await asyncio.Event().wait()
        raise AssertionError

    backend.answer(RUNS + "GetRun", never)
    headers = {**bearer(lab="viewer"), "connect-timeout-ms": "100"}

    reply = await browser.post(RUNS + "GetRun", json=LAB, headers=headers)

    assert (reply.status_code, reply.json()["code"]) == (504, "deadline_exceeded")


async def test_an_error_keeps_its_code_message_and_details(
    browser: httpx.AsyncClient, backend: Backend
) -> None:
    words = "parameter rate is 7, but must be at most 1"
    error = FoldlineError(
        Kind.INVALID, "INVALID_PARAMETERS", words, **{"parameter rate": "must be at most 1"}
    )
    backend.refuse(RUNS + "GetRun", error)

    reply = await browser.post(RUNS + "GetRun", json=LAB, headers=bearer(lab="viewer"))

    body = reply.json()
    assert (reply.status_code, body["code"], body["message"]) == (400, "invalid_argument", words)
    (detail,) = body["details"]
    assert detail["type"] == "google.rpc.ErrorInfo"
    info = error_details_pb2.ErrorInfo.FromString(base64.b64decode(detail["value"] + "=="))
    assert info.reason == "INVALID_PARAMETERS"
    assert info.metadata == {"parameter rate": "must be at most 1"}


async def test_no_rpc_is_answered_without_a_token(browser: httpx.AsyncClient, backend: Backend) -> None:
    codes = {path: (await call(browser, path, {}, {}))[1] for path in METHODS}

    assert codes == dict.fromkeys(METHODS, "unauthenticated")
    assert backend.calls == []


async def test_every_rpc_reaches_its_backend(browser: httpx.AsyncClient, backend: Backend) -> None:
    outcomes = {}
    for path, method in METHODS.items():
        fields = LAB if "workspace" in method.request.DESCRIPTOR.fields_by_name else {}
        outcomes[path] = await call(browser, path, fields, everywhere("admin"))

    assert outcomes == dict.fromkeys(METHODS, (1, ""))
    assert [call.path for call in backend.calls] == list(METHODS)


async def test_a_role_that_is_too_low_is_refused_here(browser: httpx.AsyncClient, backend: Backend) -> None:
    path = "/foldline.api.scheduler.v1.SchedulerService/StartRun"

    reply = await browser.post(path, json=LAB, headers=bearer(lab="viewer"))

    assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")
    assert "operator" in reply.json()["message"]
    assert backend.calls == []


async def test_a_mistyped_field_is_named(browser: httpx.AsyncClient) -> None:
    reply = await browser.post(RUNS + "GetRun", json={**LAB, "rum_id": "r"}, headers=bearer(lab="viewer"))

    assert reply.json()["code"] == "invalid_argument"
    assert "rum_id" in reply.json()["message"]


async def test_a_reply_that_json_cannot_say_is_explained(
    browser: httpx.AsyncClient, backend: Backend
) -> None:
    async def infinite(_request: Any, _context: Any) -> recorder.GetRunResponse:
        reply = recorder.GetRunResponse()
        reply.run.parameters.update({"loss": float("inf")})
        return reply

    backend.answer(RUNS + "GetRun", infinite)
    reply = await browser.post(RUNS + "GetRun", json=LAB, headers=bearer(lab="viewer"))

    assert reply.json()["code"] == "internal"
    assert "application/proto" in reply.json()["message"]


async def test_an_unknown_rpc_is_not_found(browser: httpx.AsyncClient) -> None:
    reply = await browser.post(RUNS + "DropEverything", json={}, headers=everywhere("admin"))

    assert reply.status_code == 404


async def test_a_stream_arrives_message_by_message(browser: httpx.AsyncClient, backend: Backend) -> None:
    more = asyncio.Event()

    async def two(_request: Any, _context: Any) -> AsyncIterator[recorder.WatchRunResponse]:
        yield recorder.WatchRunResponse(run=recorder.Run(status="running"))
        await more.wait()
        yield recorder.WatchRunResponse(run=recorder.Run(status="completed"))

    backend.stream(RUNS + "WatchRun", two)
    headers = {**bearer(lab="viewer"), "content-type": "application/connect+json"}
    content = enveloped(json.dumps(LAB).encode())

    async with browser.stream("POST", RUNS + "WatchRun", content=content, headers=headers) as reply:
        pieces = reply.aiter_raw()
        first = await anext(pieces)
        more.set()
        rest = b"".join([piece async for piece in pieces])

    assert json.loads(envelopes(first)[0][1]) == {"run": {"status": "running"}}
    (_, second), (flags, end) = envelopes(rest)
    assert json.loads(second) == {"run": {"status": "completed"}}
    assert (flags, json.loads(end)) == (2, {})


async def test_a_browser_that_leaves_ends_the_stream_at_the_backend(
    browser: httpx.AsyncClient, backend: Backend
) -> None:
    ended = asyncio.Event()

    async def endless(_request: Any, _context: Any) -> AsyncIterator[recorder.WatchRunResponse]:
        try:
            yield recorder.WatchRunResponse()
            await asyncio.Event().wait()
        finally:
            ended.set()

    backend.stream(RUNS + "WatchRun", endless)
    headers = {**bearer(lab="viewer"), "content-type": "application/connect+json"}
    content = enveloped(json.dumps(LAB).encode())

    async with browser.stream("POST", RUNS + "WatchRun", content=content, headers=headers) as reply:
        await anext(reply.aiter_raw())

    async with asyncio.timeout(5):
        await ended.wait()


async def test_grpc_web_is_spoken_too(browser: httpx.AsyncClient, backend: Backend) -> None:
    backend.answer(RUNS + "GetRun", a_run)
    request = recorder.GetRunRequest(workspace="lab", run_id="r-1").SerializeToString()
    headers = {**bearer(lab="viewer"), "content-type": "application/grpc-web+proto"}

    reply = await browser.post(RUNS + "GetRun", content=enveloped(request), headers=headers)

    (_, message), (flags, trailers) = envelopes(reply.content)
    assert recorder.GetRunResponse.FromString(message).run.run_id == "r-1"
    assert flags == 0x80
    assert b"grpc-status: 0" in trailers


async def test_a_service_that_is_down_is_named(browser: httpx.AsyncClient, ports: app.Ports) -> None:
    del browser
    nobody = "127.0.0.1:1"
    async with (
        app.serve(settings(nobody), Lifecycle()) as bound,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        url = f"http://127.0.0.1:{bound.http}{RUNS}GetRun"
        reply = await client.post(url, json=LAB, headers=bearer(lab="viewer"))

    body = reply.json()
    assert (reply.status_code, body["code"]) == (503, "unavailable")
    assert body["message"] == "the recorder does not answer at the moment; try again soon"
    assert [detail["type"] for detail in body["details"]] == ["google.rpc.ErrorInfo", "google.rpc.RetryInfo"]


async def test_an_expired_token_says_so(browser: httpx.AsyncClient) -> None:
    short = token({"lab": "viewer"}, seconds=1)

    async def expired() -> None:
        reply = await browser.post(RUNS + "GetRun", json=LAB, headers={"authorization": f"Bearer {short}"})
        assert reply.status_code == 401
        assert "expired" in reply.json()["message"]

    await until(expired)


async def test_a_stop_of_the_gateway_ends_streams_with_a_reason(backend: Backend) -> None:
    async def endless(_request: Any, _context: Any) -> AsyncIterator[recorder.WatchRunResponse]:
        yield recorder.WatchRunResponse()
        await asyncio.Event().wait()

    backend.stream(RUNS + "WatchRun", endless)
    headers = {**bearer(lab="viewer"), "content-type": "application/connect+json"}
    content = enveloped(json.dumps(LAB).encode())
    async with serve(backend) as address, httpx.AsyncClient(trust_env=False) as client:
        async with app.serve(settings(address), Lifecycle()) as bound:
            url = f"http://127.0.0.1:{bound.http}{RUNS}WatchRun"
            reply = await client.send(
                client.build_request("POST", url, content=content, headers=headers), stream=True
            )
            pieces = reply.aiter_raw()
            await anext(pieces)
        rest = b"".join([piece async for piece in pieces])
        await reply.aclose()

    assert json.loads(envelopes(rest)[-1][1])["error"]["code"] == "unavailable"


async def test_a_large_request_of_a_stranger_is_refused_before_it_comes(ports: app.Ports) -> None:
    head = (
        f"POST /{RUNS.strip('/')}/GetRun HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Authorization: Bearer wrong\r\nContent-Length: 20000000\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", ports.http)
    try:
        writer.write(head.encode())
        async with asyncio.timeout(10):
            status = await reader.readline()
    finally:
        writer.close()

    assert b" 401 " in status


async def test_who_has_too_many_calls_under_way_is_told_when_to_come_again(backend: Backend) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def waits(request: Any, context: Any) -> recorder.GetRunResponse:
        begun.set()
        await go_on.wait()
        return await a_run(request, context)

    backend.answer(RUNS + "GetRun", waits)
    life = Lifecycle()
    async with serve(backend) as address:
        tight = msgspec.structs.replace(settings(address), calls=2)
        async with (
            app.serve(tight, life) as ports,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports.http}", trust_env=False) as browser,
        ):
            fields = LAB | {"run_id": "r"}
            first = asyncio.ensure_future(
                browser.post(RUNS + "GetRun", json=fields, headers=bearer(lab="viewer"))
            )
            await begun.wait()
            refused = await browser.post(RUNS + "GetRun", json=fields, headers=bearer(lab="viewer"))
            other = asyncio.ensure_future(
                browser.post(RUNS + "GetRun", json=fields | {"workspace": "b"}, headers=bearer(b="viewer"))
            )
            go_on.set()

            assert (await first).status_code == (await other).status_code == 200
            assert (refused.status_code, refused.json()["code"]) == (429, "resource_exhausted")
            assert "RetryInfo" in refused.text
