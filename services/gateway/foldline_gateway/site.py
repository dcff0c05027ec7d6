"""The HTTP side as one ASGI application: which part answers which path, security headers, log and metric."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog

from foldline.access import admission
from foldline.chassis import logs
from foldline_gateway import answers, hooks, metrics
from foldline_gateway.answers import SECURITY_HEADERS, Receive, Scope, Send
from foldline_gateway.downloads import PREFIXES

log = logs.logger()

Part = Callable[[Any, Any, Any], Awaitable[None]]  # connectrpc and we spell ASGI's types differently

_RPC = "/foldline.api."
_SECURITY = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS]


class Site:
    def __init__(self, *, rpcs: Part, downloads: Part, hooks: Part, console: Part, requests: int) -> None:
        """`requests` may be under way at once, whosever; what comes then is refused before it is read."""
        self._rpcs = rpcs
        self._downloads = downloads
        self._hooks = hooks
        self._console = console
        self._most = requests
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # websockets: nothing here speaks them
            return
        name, part = self._part(scope["path"])
        structlog.contextvars.bind_contextvars(http=f"{scope['method']} {scope['path']}")
        start = time.perf_counter()
        status = 0

        async def guarded(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *_SECURITY]}
            await send(message)

        self._open += 1
        try:
            if self._open > self._most:
                await answers.refusal(guarded, admission.refused("the gateway", "requests", self._most))
            else:
                await part(scope, receive, guarded)
        finally:
            self._open -= 1
            seconds = time.perf_counter() - start
            metrics.HTTP_SECONDS.labels(name, str(status)).observe(seconds)
            write = log.debug if name == "console" else log.info
            write("http_answered", part=name, status=status, seconds=round(seconds, 6))

    def _part(self, path: str) -> tuple[str, Part]:
        if path.startswith(_RPC):
            return "rpc", self._rpcs
        if path.startswith(PREFIXES):
            return "download", self._downloads
        if path.startswith(hooks.PREFIX):
            return "hook", self._hooks
        return "console", self._console
