"""HTTP answers over ASGI: the few shapes that the plain routes need, with the security headers of each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import grpc

from foldline.domain.errors import FoldlineError
from foldline_gateway import statuses

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Iterable[tuple[str, str]]

#: On every answer: nothing is guessed, framed, or told to other sites.
SECURITY_HEADERS = (
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
)


def header(scope: Scope, name: str) -> str:
    """The first header of that (lower-case) name; "" for none."""
    wanted = name.encode()
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == wanted), "")


async def start(send: Send, status: HTTPStatus, headers: Headers) -> None:
    """Begin an answer whose body follows in pieces."""
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status.value, "headers": pairs})


async def piece(send: Send, content: bytes, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": content, "more_body": more})


async def whole(send: Send, status: HTTPStatus, headers: Headers, body: bytes = b"") -> None:
    """A complete answer."""
    await start(send, status, [*headers, ("content-length", str(len(body)))])
    await piece(send, body, more=False)


async def text(send: Send, status: HTTPStatus, words: str) -> None:
    await whole(send, status, [("content-type", "text/plain; charset=utf-8")], words.encode() + b"\n")


async def json(send: Send, status: HTTPStatus, body: bytes) -> None:
    headers = [("content-type", "application/json"), ("cache-control", "no-store")]
    await whole(send, status, headers, body)


async def refusal(send: Send, error: FoldlineError | grpc.aio.AioRpcError) -> None:
    """An error as JSON, with Retry-After where coming again may help."""
    told = statuses.to_http(error)
    headers = [("content-type", "application/json"), ("cache-control", "no-store")]
    if told.retry_seconds:
        headers.append(("retry-after", str(told.retry_seconds)))
    await whole(send, told.status, headers, told.body)


def disposition(kind: str, filename: str) -> str:
    """Content-Disposition for any file name (RFC 6266)."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_. ") else "_" for c in filename)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
