"""One connection to NATS that is always there again: unlimited reconnects, streams declared each time.

The client's own reconnecting is switched off. It gives up for good when the server answers a reconnect with
an error (an authentication that took too long on a busy machine is enough), and it cancels handlers in the
middle. Here a lost connection is replaced by a new client, and whoever needs something on it (`Use`)
sets it up again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from nats.aio.client import Client
from nats.errors import NoServersError

from foldline.bus import streams
from foldline.bus.failures import LOST, unavailable

_LOOK_SECONDS = 0.5
_SHORTEST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_CONNECT_SECONDS = 2
_PING_SECONDS = 5

Use = Callable[[Client], Awaitable[None]]
"""Sets something up on a fresh client, e.g. a subscription."""

log = structlog.get_logger()


class Connection:
    """`run` must be running; `client` is there while connected."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._client: Client | None = None
        self._up = asyncio.Event()
        self._uses: dict[object, Use] = {}
        self._callbacks: list[Callable[[], Awaitable[None]]] = []
        self._error: Exception | None = None

    @property
    def client(self) -> Client:
        """The connected client. Raises UNAVAILABLE while there is none."""
        if self._client is None or not self._client.is_connected:
            raise unavailable(f"there is no connection to NATS ({self._error or 'it was lost just now'})")
        return self._client

    @property
    def largest(self) -> int:
        """The largest body the server takes, with room left for headers."""
        return self.client.max_payload - 8192

    async def wait_up(self, seconds: float | None = None) -> None:
        """Wait for a connection on which everything is set up. Raises UNAVAILABLE after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._up.wait()
        except TimeoutError as error:
            raise unavailable(f"NATS cannot be reached: {self._error or 'no answer'}") from error

    async def add(self, key: object, use: Use) -> None:
        """Set `use` up on every connection to come, and on the present one before this returns."""
        self.keep(key, use)
        client = self._client
        if client is not None and client.is_connected:
            try:
                await use(client)
            except LOST as error:
                # The connection is as good as gone; the next one sets it up.
                log.debug("bus_use_failed", error=str(error))

    def keep(self, key: object, use: Use) -> None:
        """Set `use` up on every connection to come."""
        self._uses[key] = use

    def remove(self, key: object) -> None:
        self._uses.pop(key, None)

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        self._callbacks.append(callback)

    async def run(self) -> None:
        """Connect, again and again, for ever."""
        pause = _SHORTEST_PAUSE_SECONDS
        connections = 0
        async with asyncio.TaskGroup() as tasks:
            while True:
                lost = asyncio.Event()
                try:
                    await self._open(lost)
                except LOST as error:
                    self._note(error)
                    log.debug("bus_unreachable", error=_text(error))
                    await self._close()
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                    continue
                self._error = None
                connections += 1
                pause = _SHORTEST_PAUSE_SECONDS
                self._up.set()
                if connections > 1:
                    log.info("bus_reconnected")
                    tasks.create_task(self._tell())
                await self._until_lost(lost)
                log.warning("bus_lost")
                await self._close()

    async def _until_lost(self, lost: asyncio.Event) -> None:
        """A client that cannot send what it still had to send dies without a word: so it is looked at."""
        while not lost.is_set() and self._client is not None and self._client.is_connected:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await lost.wait()

    async def close(self) -> None:
        """Send what was published, then leave. `run` must have ended."""
        client = self._client
        if client is not None and client.is_connected:
            try:
                await client.flush(timeout=2)
            except LOST as error:
                log.debug("bus_flush_failed", error=_text(error))
        await self._close()

    async def _open(self, lost: asyncio.Event) -> None:
        async def closed() -> None:
            self._up.clear()
            lost.set()

        async def failed(error: Exception) -> None:
            self._note(error)

        # Kept before it connects: a client whose connect fails must be closed, too.
        self._client = Client()
        await self._client.connect(
            self._url,
            name=self._name,
            allow_reconnect=False,
            # One try and one repetition inside the client; the long patience is ours.
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=_CONNECT_SECONDS,
            ping_interval=_PING_SECONDS,
            max_outstanding_pings=2,
            closed_cb=closed,
            error_cb=failed,
        )
        await streams.declare(self._client.jetstream(timeout=_CONNECT_SECONDS))
        for use in list(self._uses.values()):
            await use(self._client)

    async def _close(self) -> None:
        self._up.clear()
        client, self._client = self._client, None
        if client is None:
            return
        try:
            await client.close()
        except LOST as error:
            log.debug("bus_close_failed", error=_text(error))

    def _note(self, error: Exception) -> None:
        """Keep the error that says most: a refused token shows as a reset connection, too, now and then."""
        if self._error is None or not isinstance(error, NoServersError | OSError):
            self._error = error

    async def _tell(self) -> None:
        for callback in list(self._callbacks):
            try:
                await callback()
            except Exception as error:
                log.warning("bus_callback_failed", exc_info=error)


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
