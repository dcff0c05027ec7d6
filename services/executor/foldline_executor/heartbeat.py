"""Heartbeats: every second, and at once when something has changed."""

from __future__ import annotations

import asyncio

import structlog

from foldline.bus import subjects
from foldline.bus.port import Bus
from foldline.chassis import loops
from foldline.domain.errors import FoldlineError
from foldline.domain.work import Heartbeat
from foldline.wire import work
from foldline_executor.attempts import Attempts
from foldline_executor.home import Home
from foldline_executor.settings import Settings

BEAT_SECONDS = 1.0
SHORTEST_PAUSE_SECONDS = 0.1
"""Many short attempts must not drown the bus in heartbeats."""

log = structlog.get_logger()


class Heart:
    """Says who this executor is and what it holds."""

    def __init__(self, settings: Settings, home: Home, attempts: Attempts, bus: Bus) -> None:
        self.is_draining = False
        self._settings = settings
        self._home = home
        self._attempts = attempts
        self._bus = bus

    def drain(self) -> None:
        """Ask for no more work."""
        self.is_draining = True
        self._attempts.changed.set()

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
        )
        try:
            await self._bus.publish(subjects.HEARTBEAT, work.encode(heartbeat))
        except FoldlineError as error:
            log.debug("heartbeat_not_sent", error=error.message)
