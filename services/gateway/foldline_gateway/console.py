"""The built console: a handful of files, read once, served from memory with the right cache headers.

Every path that is no file is the single page's own address, so it gets the page.
"""

from __future__ import annotations

import gzip
import hashlib
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

from foldline_gateway import answers
from foldline_gateway.answers import Receive, Scope, Send

_PAGE = "/index.html"
#: By suffix, and not asked of the machine, whose own table may say anything.
_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "woff2": "font/woff2",
}
_HASHED = "/assets/"  # Vite puts the content's hash into these names
_NOT_BUILT = "The console is not built. Build it with: python hatch_build.py"

#: Scripts come from here alone. Mantine and the graph set styles of elements, so inline styles are allowed.
_DIRECTIVES = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)
POLICY = "; ".join(_DIRECTIVES)


class Asset(NamedTuple):
    type: str
    body: bytes
    zipped: bytes
    etag: str
    cache: str


class Console:
    def __init__(self, assets: dict[str, Asset]) -> None:
        self._assets = assets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        if scope["method"] not in {"GET", "HEAD"}:
            await answers.text(send, HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD")
            return
        path = scope["path"]
        asset = self._assets.get(path)
        if asset is None and not path.startswith(_HASHED):
            asset = self._assets.get(_PAGE)
        if asset is None:
            missing = not self._assets
            words = _NOT_BUILT if missing else "there is no such file"
            status = HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.NOT_FOUND
            await answers.text(send, status, words)
            return
        await _send(scope, send, asset)


def load() -> Console:
    """The console that was built into the package; without one, each page says how to build it."""
    root = files("foldline_gateway") / "static"
    return Console(dict(_walk(root, "")) if root.is_dir() else {})


def _walk(folder: Traversable, path: str) -> list[tuple[str, Asset]]:
    found = []
    for entry in folder.iterdir():
        here = f"{path}/{entry.name}"
        if entry.is_dir():
            found.extend(_walk(entry, here))
        elif not entry.name.startswith("."):  # notes of the build
            found.append((here, make_asset(here, entry.read_bytes())))
    return found


def make_asset(path: str, body: bytes) -> Asset:
    return Asset(
        type=_TYPES.get(path.rpartition(".")[2], "application/octet-stream"),
        body=body,
        zipped=gzip.compress(body, mtime=0),
        etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        cache="public, max-age=31536000, immutable" if path.startswith(_HASHED) else "no-cache",
    )


async def _send(scope: Scope, send: Send, asset: Asset) -> None:
    headers = [
        ("content-type", asset.type),
        ("etag", asset.etag),
        ("cache-control", asset.cache),
        ("vary", "accept-encoding"),
        ("content-security-policy", POLICY),
    ]
    if answers.header(scope, "if-none-match") == asset.etag:
        await answers.start(send, HTTPStatus.NOT_MODIFIED, headers)
        await answers.piece(send, b"", more=False)
        return
    body = asset.body
    if "gzip" in answers.header(scope, "accept-encoding") and len(asset.zipped) < len(body):
        body = asset.zipped
        headers.append(("content-encoding", "gzip"))
    if scope["method"] == "HEAD":
        await answers.start(send, HTTPStatus.OK, [*headers, ("content-length", str(len(body)))])
        await answers.piece(send, b"", more=False)
        return
    await answers.whole(send, HTTPStatus.OK, headers, body)
