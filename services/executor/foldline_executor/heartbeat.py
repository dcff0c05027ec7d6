"""Heartbeats: every second, and at once when something has changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec
import structlog

from foldline.bus import subjects
from foldline.bus.port import Bus, Message
from foldline.chassis import loops
from foldline.domain.errors import FoldlineError
from foldline.domain.work import Drain, Heartbeat
from foldline.wire import work
from foldline_executor.attempts import Attempts
from foldline_executor.home import Home
from foldline_executor.settings import VERSION, Settings

BEAT_SECONDS = 1.0
SHORTEST_PAUSE_SECONDS = 0.1
"""Many short attempts must not drown the bus in heartbeats."""
LARGEST_BYTES = 900_000
"""What a NATS with its usual settings takes is 1 MiB."""

log = structlog.get_logger()


class Heart:
    """Says who this executor is and what it holds."""

    def __init__(
        self,
        settings: Settings,
        home: Home,
        attempts: Attempts,
        bus: Bus,
        *,
        closed: Callable[[], str] = lambda: "",
    ) -> None:
        """`closed` says why no new work is taken at the moment; empty when it is."""
        self.is_draining = False
        self._settings = settings
        self._home = home
        self._attempts = attempts
        self._bus = bus
        self._closed = closed
        self._draining_since = 0.0

    def drain(self, *, undo: bool = False) -> None:
        """Ask for no more work, or for work again."""
        if not self.is_draining:
            self._draining_since = time.monotonic()
        self.is_draining = not undo
        self._attempts.changed.set()

    async def on_drain(self, message: Message) -> None:
        """Handler of Drain."""
        self.drain(undo=work.decode(Drain, message.body).undo)

    async def on_roll_call(self, _: Message) -> None:
        """A new scheduler knows nobody yet, and need not wait for the next second."""
        self._attempts.changed.set()

    async def settle(self, seconds: float) -> None:
        """Until it has been draining for so long that no order can be on its way any more."""
        await asyncio.sleep(max(0.0, self._draining_since + seconds - time.monotonic()))

    async def beat_until(self, end: asyncio.Event) -> None:
        changed = self._attempts.changed
        while not end.is_set():
            changed.clear()
            await self.beat()
            await loops.wait(end, SHORTEST_PAUSE_SECONDS)
            await loops.wait_first(end, changed, seconds=BEAT_SECONDS)

    async def beat(self, *, leaving: bool = False) -> None:
        claims = self._attempts.claims
        heartbeat = Heartbeat(
            session=self._home.session,
            name=self._settings.name,
            region=self._settings.region,
            pool=self._settings.pool,
            slots=self._settings.slot_count,
            draining=self.is_draining,
            held=tuple(claims),
            claims=tuple(claims.values()),
            replaces=self._home.previous,
            leaving=leaving,
            cpu=self._settings.cpu_count,
            memory_bytes=self._settings.memory_bytes,
            gpu=self._settings.gpu,
            flavors=self._settings.flavor_names,
            labels=self._settings.label_values,
            closed=self._closed(),
            version=VERSION,
            backends=self._settings.backend_names,
        )
        try:
            await self._bus.publish(subjects.HEARTBEAT, bounded(heartbeat))
        except FoldlineError as error:
            log.warning("heartbeat_not_sent", reason=error.reason, error=error.message)


def bounded(heartbeat: Heartbeat) -> bytes:
    """Any NATS must take it: an executor whose heartbeat is refused would be given up with all that it holds.

    Without claims a scheduler counts a slot and the usual processor for each attempt.
    """
    body = work.encode(heartbeat)
    if len(body) > LARGEST_BYTES:
        body = work.encode(msgspec.structs.replace(heartbeat, claims=()))
    return body
