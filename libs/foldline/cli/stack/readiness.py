"""Asking the started processes over HTTP: are they ready, and does the first workspace exist."""

from __future__ import annotations

import asyncio
import http
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from foldline.cli.stack.ports import LOOPBACK

PAUSE_SECONDS = 0.05
REQUEST_SECONDS = 5.0
CREATE_WORKSPACE = "/foldline.api.registry.v1.WorkspaceService/CreateWorkspace"


class Reply(msgspec.Struct, frozen=True):
    status: int
    body: bytes


class NotReady(Exception):
    """Something did not become ready; the message says what it lacked."""


async def until_ready(name: str, is_ready: Callable[[], Awaitable[str]], seconds: float) -> None:
    """Ask until `is_ready` answers "" (what it lacks otherwise); raise NotReady after `seconds`."""
    lacks = "an answer"
    try:
        async with asyncio.timeout(seconds):
            # Another process becomes ready: there is no event to wait for.
            while lacks := await is_ready():  # noqa: ASYNC110
                await asyncio.sleep(PAUSE_SECONDS)
    except TimeoutError as error:
        raise NotReady(f"{name} was not ready after {seconds:g} s: {lacks}") from error


async def lacks(port: int) -> str:
    """What the service whose operators' port this is still lacks; empty when it is ready."""
    try:
        reply = await request(port, "GET", "/readyz")
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
        return "it does not answer yet"
    return "" if reply.status == http.HTTPStatus.OK else reply.body.decode(errors="replace").strip()


async def ensure_workspace(port: int, *, workspace: str, token: str) -> str:
    """Create the workspace unless it exists. Returns what prevented it; empty when it is there."""
    body = msgspec.json.encode({"workspace": workspace, "title": workspace.capitalize()})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        reply = await request(port, "POST", CREATE_WORKSPACE, headers, body)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
        return f"the gateway does not answer ({error})"
    if reply.status == http.HTTPStatus.OK or b"already_exists" in reply.body:
        return ""
    return f"the gateway answers {reply.status}: {reply.body.decode(errors='replace')}"


async def request(
    port: int, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Reply:
    """One HTTP request to the loopback; a client library would be a lot for three short questions."""
    lines = {
        "Host": f"{LOOPBACK}:{port}",
        "Connection": "close",
        "Content-Length": str(len(body)),
        **(headers or {}),
    }
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{key}: {value}\r\n" for key, value in lines.items())
    async with asyncio.timeout(REQUEST_SECONDS):
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        try:
            writer.write(head.encode() + b"\r\n" + body)
            await writer.drain()
            first, _, rest = (await reader.read()).partition(b"\r\n")
        finally:
            writer.close()
    return Reply(int(first.split(b" ")[1]) if b" " in first else 0, rest.partition(b"\r\n\r\n")[2])
