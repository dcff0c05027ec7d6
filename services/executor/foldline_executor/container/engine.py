"""The few calls of the Docker Engine API that the backend makes, over the engine's Unix socket.

Plain HTTP but for `attach`, whose connection becomes a pair of byte streams.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from foldline.domain.errors import FoldlineError, Kind

if TYPE_CHECKING:
    import httpx

VERSION = "v1.41"
"""Of Docker 20.10, the oldest that is used; newer ones serve it."""

_PATIENCE_SECONDS = 60.0
_CHUNK_BYTES = 64 * 1024


class EngineError(Exception):
    """The engine refuses, or is not there (`status` 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Stream:
    """Both directions of what a container's main process reads and writes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        """The next bytes; none when the container has ended."""
        try:
            return await self._reader.read(_CHUNK_BYTES)
        except OSError:
            return b""

    async def write(self, data: bytes) -> None:
        with suppress(OSError):  # it has ended, which reading tells
            self._writer.write(data)
            await self._writer.drain()

    def end(self) -> None:
        """There is nothing more for it to read."""
        with suppress(OSError):
            self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()


class Engine:
    """An asynchronous context manager."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Engine:
        httpx = _httpx()
        transport = httpx.AsyncHTTPTransport(uds=str(self._socket), limits=httpx.Limits(max_connections=None))
        self._client = httpx.AsyncClient(
            transport=transport, base_url=f"http://engine/{VERSION}", timeout=_PATIENCE_SECONDS
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._client is not None
        await self._client.aclose()

    async def check(self) -> None:
        """Raises EngineError when it does not answer."""
        await self._call("GET", "/info")

    async def has_image(self, image: str) -> bool:
        try:
            await self._call("GET", f"/images/{image}/json")
        except EngineError as error:
            if error.status != 404:
                raise
            return False
        return True

    async def pull(self, image: str) -> None:
        """Raises EngineError with the registry's words; they come at the end of a stream that began well."""
        name, _, tag = image.rpartition(":") if ":" in image.rpartition("/")[2] else (image, "", "latest")
        parameters = {"fromImage": image} if "@" in image else {"fromImage": name, "tag": tag}
        async with self._streaming("POST", "/images/create", parameters) as lines:
            async for line in lines:
                said = json.loads(line) if line.strip() else {}
                if "error" in said:
                    raise EngineError(0, said["error"])

    async def create(self, config: Mapping[str, Any]) -> str:
        """The new container's id."""
        created: str = (await self._call("POST", "/containers/create", content=config))["Id"]
        return created

    async def start(self, container: str) -> None:
        await self._call("POST", f"/containers/{container}/start")

    async def wait(self, container: str) -> int:
        """Its exit code, when it has one."""
        said = await self._call("POST", f"/containers/{container}/wait", seconds=None)
        code: int = said["StatusCode"]
        return code

    async def state(self, container: str) -> dict[str, Any]:
        state: dict[str, Any] = (await self._call("GET", f"/containers/{container}/json"))["State"]
        return state

    async def kill(self, container: str, signal: str) -> bool:
        """False when it does not run (yet, or any more)."""
        try:
            await self._call("POST", f"/containers/{container}/kill", {"signal": signal})
        except EngineError as error:
            if error.status in (404, 409):
                return False
            raise
        return True

    async def remove(self, container: str) -> None:
        """With whatever runs in it; nothing when it has gone already."""
        try:
            await self._call("DELETE", f"/containers/{container}", {"force": "true", "v": "true"})
        except EngineError as error:
            if error.status not in (404, 409):  # 409: somebody removes it at this moment
                raise

    async def labelled(self, label: str) -> list[str]:
        """Ids of all containers with that label, ended ones included."""
        filters = json.dumps({"label": [label]})
        found = await self._call("GET", "/containers/json", {"all": "true", "filters": filters})
        return [one["Id"] for one in found]

    async def attach(self, container: str) -> Stream:
        """To all that it will read and write, if it has not been started yet.

        Spoken by hand: after its answer the connection is no HTTP any more.
        """
        try:
            reader, writer = await asyncio.open_unix_connection(str(self._socket))
        except OSError as error:
            raise EngineError(0, self._absent(error)) from error
        path = f"/{VERSION}/containers/{container}/attach?stream=1&stdin=1&stdout=1&stderr=1"
        writer.write(
            f"POST {path} HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode()
        )
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            writer.close()
            raise EngineError(0, f"the engine broke off: {error}") from error
        status = head.split(b" ", 2)[1]
        if status not in (b"101", b"200"):
            writer.close()
            raise EngineError(
                int(status), f"the engine does not attach to a container: {head.decode()[:200]}"
            )
        return Stream(reader, writer)

    async def _call(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str] | None = None,
        *,
        content: Mapping[str, Any] | None = None,
        seconds: float | None = _PATIENCE_SECONDS,
    ) -> Any:
        httpx, client = _httpx(), self._client
        assert client is not None
        try:
            answer = await client.request(method, path, params=parameters, json=content, timeout=seconds)
        except httpx.HTTPError as error:
            raise EngineError(0, self._absent(error)) from error
        if answer.is_error:
            raise EngineError(answer.status_code, _words(answer.text))
        return answer.json() if answer.content else None

    @asynccontextmanager
    async def _streaming(
        self, method: str, path: str, parameters: Mapping[str, str]
    ) -> AsyncIterator[AsyncIterator[str]]:
        httpx, client = _httpx(), self._client
        assert client is not None
        try:
            async with client.stream(method, path, params=parameters, timeout=None) as answer:
                if answer.is_error:
                    raise EngineError(answer.status_code, _words((await answer.aread()).decode()))
                yield answer.aiter_lines()
        except httpx.HTTPError as error:
            raise EngineError(0, self._absent(error)) from error

    def _absent(self, error: Exception) -> str:
        return f"no container engine answers at {self._socket}: {str(error) or type(error).__name__}"


def _words(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:500]


def _httpx() -> Any:
    try:
        import httpx
    except ImportError as error:
        message = "the backend of containers needs httpx: pip install 'foldline[container]'"
        raise FoldlineError(Kind.PRECONDITION, "EXTRA_MISSING", message) from error
    return httpx
