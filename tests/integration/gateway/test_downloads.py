"""Artifacts and logs over plain HTTP: access, safe types, cookies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest
from tests.integration.gateway.backend import RUNS, Backend
from tests.integration.gateway.callers import bearer

from foldline.api.event.v1.artifact_pb2 import Artifact
from foldline.api.recorder.v1 import recorder_service_pb2 as recorder
from foldline.domain.errors import FoldlineError, Kind

DIGEST = "sha256:" + "ab" * 32
PLACE = "/artifacts/lab/r-1/train/model"


def serve_artifact(backend: Backend, encoding: str, chunks: list[bytes], filename: str = "") -> None:
    artifact = Artifact(digest=DIGEST, encoding=encoding, size_bytes=sum(map(len, chunks)), filename=filename)

    async def stream(_request: Any, _context: Any) -> AsyncIterator[recorder.ReadArtifactResponse]:
        yield recorder.ReadArtifactResponse(artifact=artifact, chunk=chunks[0])
        for chunk in chunks[1:]:
            yield recorder.ReadArtifactResponse(chunk=chunk)

    backend.stream(RUNS + "ReadArtifact", stream)


async def test_an_artifact_is_streamed_whole(browser: httpx.AsyncClient, backend: Backend) -> None:
    chunks = [bytes([number]) * 100_000 for number in range(5)]
    serve_artifact(backend, "skops", chunks)

    reply = await browser.get(PLACE, headers=bearer(lab="viewer"))

    assert reply.content == b"".join(chunks)
    (call,) = backend.calls
    request = recorder.ReadArtifactRequest(workspace="lab", run_id="r-1", step="train", output="model")
    assert call.request == request


@pytest.mark.parametrize(
    ("encoding", "content_type", "opens"),
    [
        ("png", "image/png", "inline"),
        ("json", "application/json", "inline"),
        ("file", "application/octet-stream", "attachment"),
        ("pickle", "application/octet-stream", "attachment"),
        ("parquet", "application/octet-stream", "attachment"),
    ],
)
async def test_only_png_and_json_open_in_the_browser(
    browser: httpx.AsyncClient, backend: Backend, encoding: str, content_type: str, opens: str
) -> None:
    serve_artifact(backend, encoding, [b"<script>alert(1)</script>"], filename="page.html")

    reply = await browser.get(PLACE, headers=bearer(lab="viewer"))

    assert reply.headers["content-type"] == content_type
    assert reply.headers["content-disposition"].startswith(opens)
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in reply.headers["content-security-policy"]


async def test_a_file_name_cannot_break_out_of_its_header(
    browser: httpx.AsyncClient, backend: Backend
) -> None:
    serve_artifact(backend, "file", [b"x"], filename='a"; x="\r\nset-cookie: b=c\r\n/../ü.txt')

    reply = await browser.get(PLACE, headers=bearer(lab="viewer"))

    assert "set-cookie" not in reply.headers
    assert "%C3%BC.txt" in reply.headers["content-disposition"]


async def test_known_content_is_not_sent_again(browser: httpx.AsyncClient, backend: Backend) -> None:
    serve_artifact(backend, "png", [b"picture"])
    headers = bearer(lab="viewer")
    first = await browser.get(PLACE, headers=headers)

    second = await browser.get(PLACE, headers={**headers, "if-none-match": first.headers["etag"]})

    assert (second.status_code, second.content) == (304, b"")


async def test_a_link_works_with_the_cookie_of_the_session(
    browser: httpx.AsyncClient, backend: Backend
) -> None:
    serve_artifact(backend, "png", [b"picture"])
    session = await browser.post("/session/lab", headers=bearer(lab="operator"))
    assert session.status_code == 204

    assert (await browser.get(PLACE)).content == b"picture"
    cookies = session.headers.get_list("set-cookie")
    assert all("HttpOnly; SameSite=Strict" in cookie for cookie in cookies)
    assert ["Path=/artifacts/lab/" in cookies[0], "Path=/logs/lab/" in cookies[1]] == [True, True]


async def test_the_cookie_reads_one_workspace_and_nothing_else(
    browser: httpx.AsyncClient, backend: Backend
) -> None:
    session = await browser.post("/session/lab", headers=bearer(lab="admin", shop="admin"))
    cookie = session.headers.get_list("set-cookie")[0].partition(";")[0]
    inside = {"authorization": f"Bearer {cookie.partition('=')[2]}"}

    other = await browser.get("/artifacts/shop/r-1/train/model", headers={"cookie": cookie})
    start = await browser.post(
        "/foldline.api.scheduler.v1.SchedulerService/StartRun", json={"workspace": "lab"}, headers=inside
    )

    assert (other.status_code, start.status_code) == (403, 403)
    assert backend.calls == []


async def test_nobody_gets_anything_without_a_token(browser: httpx.AsyncClient, backend: Backend) -> None:
    replies = [
        await browser.get(PLACE),
        await browser.get("/logs/lab/r-1/train"),
        await browser.post("/session/lab"),
    ]

    assert [reply.status_code for reply in replies] == [401, 401, 401]
    assert backend.calls == []


async def test_an_error_of_the_recorder_becomes_a_status(
    browser: httpx.AsyncClient, backend: Backend
) -> None:
    error = FoldlineError(Kind.NOT_FOUND, "OUTPUT_UNKNOWN", "step train has no output model")
    backend.refuse(RUNS + "ReadArtifact", error)

    reply = await browser.get(PLACE, headers=bearer(lab="viewer"))

    assert reply.status_code == 404
    assert reply.json() == {
        "code": "not_found",
        "reason": "OUTPUT_UNKNOWN",
        "message": "step train has no output model",
    }


async def test_an_artifact_that_breaks_off_is_never_taken_for_whole(
    browser: httpx.AsyncClient, backend: Backend
) -> None:
    async def broken(_request: Any, context: Any) -> AsyncIterator[recorder.ReadArtifactResponse]:
        artifact = Artifact(digest=DIGEST, encoding="file", size_bytes=100)
        yield recorder.ReadArtifactResponse(artifact=artifact, chunk=b"only this")
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the store went away")

    backend.stream(RUNS + "ReadArtifact", broken)

    with pytest.raises(httpx.RemoteProtocolError):
        await browser.get(PLACE, headers=bearer(lab="viewer"))


async def test_a_log_is_downloaded_as_text(browser: httpx.AsyncClient, backend: Backend) -> None:
    async def lines(_request: Any, _context: Any) -> AsyncIterator[recorder.ReadLogResponse]:
        for number in (1, 2):
            line = recorder.LogLine(number=number, stream="stdout", text=f"line {number} <b>")
            line.time.FromJsonString(f"2026-01-01T00:00:0{number}Z")
            yield recorder.ReadLogResponse(lines=[line])

    backend.stream(RUNS + "ReadLog", lines)

    reply = await browser.get("/logs/lab/r-1/train?attempt=2", headers=bearer(lab="viewer"))

    assert reply.text == ("2026-01-01T00:00:01Z stdout line 1 <b>\n2026-01-01T00:00:02Z stdout line 2 <b>\n")
    assert reply.headers["content-disposition"].startswith('attachment; filename="train-r-1.log"')
    assert backend.calls[0].request.attempt == 2


async def test_a_downloaded_log_has_ranks_and_says_what_is_missing(
    browser: httpx.AsyncClient, backend: Backend
) -> None:
    async def lines(_request: Any, _context: Any) -> AsyncIterator[recorder.ReadLogResponse]:
        line = recorder.LogLine(number=1, stream="stdout", text="late", rank=3)
        line.time.FromJsonString("2026-01-01T00:00:01Z")
        yield recorder.ReadLogResponse(lines=[line], ranks=4)
        yield recorder.ReadLogResponse(ranks=4, missing="lines 2 to 9 are missing")

    backend.stream(RUNS + "ReadLog", lines)

    reply = await browser.get("/logs/lab/r-1/train", headers=bearer(lab="viewer"))

    assert reply.text == "2026-01-01T00:00:01Z stdout 3 late\n[lines 2 to 9 are missing]\n"


@pytest.mark.parametrize("path", ["/artifacts/lab/r-1/train", "/artifacts/lab/r/s/o/more", "/logs/lab"])
async def test_an_address_that_is_no_route_is_not_found(browser: httpx.AsyncClient, path: str) -> None:
    assert (await browser.get(path, headers=bearer(lab="viewer"))).status_code == 404
