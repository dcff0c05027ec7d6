"""Plain HTTP for what people download: artifacts and logs of runs.

    GET  /artifacts/{workspace}/{run}/{step}/{output}
    GET  /logs/{workspace}/{run}/{step}?attempt=N
    POST /session/{workspace}     a cookie for the two above, since a link carries no Authorization header

What runs produced is never trusted: only PNG and JSON open in the browser, everything else is an attachment,
nothing is guessed, and nothing may run scripts.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from contextlib import AbstractContextManager, aclosing
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

import grpc

from foldline.api.event.v1.artifact_pb2 import Artifact
from foldline.api.recorder.v1 import recorder_service_pb2 as recorder
from foldline.domain import names
from foldline.domain.errors import FoldlineError, Kind
from foldline_gateway import answers, gate
from foldline_gateway.answers import Receive, Scope, Send
from foldline_gateway.backends import Backends
from foldline_gateway.gate import Gate
from foldline_gateway.methods import Method

PREFIXES = ("/artifacts/", "/logs/", "/session/")

_COOKIE = "foldline_reader"
_INLINE = {"png": "image/png", **dict.fromkeys(("json", "list", "lists"), "application/json")}
_SUFFIX = {
    "npy": ".npy",
    "parquet": ".parquet",
    "skops": ".skops",
    "safetensors": ".safetensors",
    "onnx": ".onnx",
    "png": ".png",
    "json": ".json",
    "list": ".json",
    "lists": ".json",
}
_NO_SCRIPTS = ("content-security-policy", "default-src 'none'; sandbox")


class Downloads:
    def __init__(self, methods: dict[str, Method], backends: Backends, keeper: Gate) -> None:
        self._artifact = methods["/foldline.api.recorder.v1.RecorderService/ReadArtifact"]
        self._log = methods["/foldline.api.recorder.v1.RecorderService/ReadLog"]
        self._backends = backends
        self._gate = keeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive  # no route has a body
        started = False

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._route(scope, watched)
        except (FoldlineError, grpc.aio.AioRpcError) as error:
            if started:
                # Too late for words: the connection breaks, and the client knows that something is missing.
                raise
            await answers.refusal(send, error)

    async def _route(self, scope: Scope, send: Send) -> None:
        match scope["method"], *str(scope["path"]).split("/")[1:]:
            case "GET", "artifacts", workspace, run, step, output:
                with self._admitted(self._artifact, workspace, scope):
                    await self._send_artifact(scope, send, _artifact_request(workspace, run, step, output))
            case "GET", "logs", workspace, run, step:
                with self._admitted(self._log, workspace, scope):
                    await self._send_log(send, _log_request(workspace, run, step, scope))
            case "POST", "session", workspace:
                # The name becomes part of a header, so it must be one.
                self._gate.admit(self._artifact.path, names.workspace(workspace), _bearer(scope))
                await self._send_session(scope, send, workspace)
            case _:
                raise FoldlineError(Kind.NOT_FOUND, "ROUTE_UNKNOWN", "there is no such address")

    def _admitted(self, method: Method, workspace: str, scope: Scope) -> AbstractContextManager[None]:
        token = _cookie(scope) if not answers.header(scope, "authorization") else _bearer(scope)
        return self._gate.admitted(method.path, workspace, token, streaming=True)

    async def _send_session(self, scope: Scope, send: Send, workspace: str) -> None:
        token, seconds = self._gate.reading_token(workspace)
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        rest = f"Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
        headers = [
            ("set-cookie", f"{_COOKIE}={token}; Path=/{kind}/{workspace}/; {rest}")
            for kind in ("artifacts", "logs")
        ]
        await answers.whole(send, HTTPStatus.NO_CONTENT, [*headers, ("cache-control", "no-store")])

    async def _send_artifact(self, scope: Scope, send: Send, request: recorder.ReadArtifactRequest) -> None:
        async with aclosing(self._backends.stream(self._artifact, request, None)) as replies:
            first = recorder.ReadArtifactResponse.FromString(await anext(replies))
            headers = _artifact_headers(first.artifact, request)
            if first.artifact.digest and answers.header(scope, "if-none-match") == headers["etag"]:
                await answers.start(send, HTTPStatus.NOT_MODIFIED, headers.items())
                await answers.piece(send, b"", more=False)
                return
            headers["content-length"] = str(first.artifact.size_bytes)
            await answers.start(send, HTTPStatus.OK, headers.items())
            await answers.piece(send, first.chunk, more=True)
            async for reply in replies:
                chunk = recorder.ReadArtifactResponse.FromString(reply).chunk
                await answers.piece(send, chunk, more=True)
        await answers.piece(send, b"", more=False)

    async def _send_log(self, send: Send, request: recorder.ReadLogRequest) -> None:
        filename = f"{request.step}-{request.run_id}.log"
        headers = [
            ("content-type", "text/plain; charset=utf-8"),
            ("content-disposition", answers.disposition("attachment", filename)),
            ("cache-control", "private, no-store"),
        ]
        started = False
        async with aclosing(self._backends.stream(self._log, request, None)) as replies:
            async for reply in replies:
                if not started:
                    await answers.start(send, HTTPStatus.OK, headers)
                    started = True
                await answers.piece(send, _log_text(recorder.ReadLogResponse.FromString(reply)), more=True)
        if not started:
            await answers.start(send, HTTPStatus.OK, headers)
        await answers.piece(send, b"", more=False)


def _artifact_request(workspace: str, run: str, step: str, output: str) -> recorder.ReadArtifactRequest:
    return recorder.ReadArtifactRequest(workspace=workspace, run_id=run, step=step, output=output)


def _log_request(workspace: str, run: str, step: str, scope: Scope) -> recorder.ReadLogRequest:
    attempt = parse_qs(scope["query_string"].decode("latin-1")).get("attempt", ["0"])[0]
    if not attempt.isdecimal() or len(attempt) > 9:
        raise FoldlineError(Kind.INVALID, "ATTEMPT_INVALID", "attempt must be a whole number, 0 or more")
    return recorder.ReadLogRequest(workspace=workspace, run_id=run, step=step, attempt=int(attempt))


def _artifact_headers(artifact: Artifact, request: recorder.ReadArtifactRequest) -> dict[str, str]:
    inline = artifact.encoding in _INLINE
    filename = artifact.filename or f"{request.step}-{request.output}{_SUFFIX.get(artifact.encoding, '')}"
    return {
        "content-type": _INLINE.get(artifact.encoding, "application/octet-stream"),
        "content-disposition": answers.disposition("inline" if inline else "attachment", filename),
        "etag": f'"{artifact.digest}"',
        "cache-control": "private, no-cache",
        _NO_SCRIPTS[0]: _NO_SCRIPTS[1],
    }


def _log_text(reply: recorder.ReadLogResponse) -> bytes:
    missing = f"[{reply.missing}]\n" if reply.missing else ""
    ranks = (f" {line.rank}" if reply.ranks > 1 else "" for line in reply.lines)
    lines = (
        f"{line.time.ToJsonString()} {line.stream}{rank} {line.text}\n"
        for line, rank in zip(reply.lines, ranks, strict=True)
    )
    return (missing + "".join(lines)).encode()


def _bearer(scope: Scope) -> str:
    return gate.bearer(answers.header(scope, "authorization"))


def _cookie(scope: Scope) -> str:
    try:
        cookies = SimpleCookie(answers.header(scope, "cookie"))
    except CookieError:
        cookies = SimpleCookie()
    if _COOKIE in cookies:
        return cookies[_COOKIE].value
    return gate.bearer("")
