"""A tiny HTTP port for operators: /livez, /readyz, /metrics. Three pages need no web framework."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import msgspec

from foldline.chassis import addresses, metrics
from foldline.chassis.lifecycle import Lifecycle

REQUEST_DEADLINE_SECONDS = 5.0
_LONGEST_HEAD_BYTES = 8 * 1024

Page = tuple[HTTPStatus, str, bytes]


@asynccontextmanager
async def serve(listen: str, life: Lifecycle) -> AsyncIterator[int]:
    """Answer on `listen` ("host:port"; port 0 picks a free one) and yield the bound port."""
    host, port = addresses.split(listen)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_DEADLINE_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(head, *await _page(head, life)))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client went away or never asked properly; nobody is left to tell
        finally:
            writer.close()

    server = await asyncio.start_server(answer, host, port, limit=_LONGEST_HEAD_BYTES)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _page(head: bytes, life: Lifecycle) -> Page:
    method, target, *_ = [*head.split(b"\r\n", 1)[0].split(b" "), b"", b""]
    if method not in {b"GET", b"HEAD"}:
        return HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"only GET and HEAD\n"
    match target.partition(b"?")[0]:
        case b"/livez":
            return HTTPStatus.OK, "text/plain", b"alive\n"
        case b"/readyz":
            problems = await life.problems()
            status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
            body = {"ready": not problems, "problems": problems}
            return status, "application/json", msgspec.json.encode(body)
        case b"/metrics":
            return HTTPStatus.OK, metrics.CONTENT_TYPE, metrics.render()
        case _:
            return HTTPStatus.NOT_FOUND, "text/plain", b"there are /livez, /readyz and /metrics\n"


def _response(head: bytes, status: HTTPStatus, content_type: str, body: bytes) -> bytes:
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        "\r\n",
    )
    return "\r\n".join(lines).encode() + (b"" if head.startswith(b"HEAD ") else body)
