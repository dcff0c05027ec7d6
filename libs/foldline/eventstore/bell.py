"""Wakes followers of the ledger: rung by this process's own appends and by NOTIFY of the others'.

A bell is a hint. Whoever waits for it also polls, so a lost notification costs time and nothing else.
"""

from __future__ import annotations

import asyncio

import asyncpg
import structlog

from foldline.pg.connect import CONNECT_SECONDS, session_settings
from foldline.pg.errors import is_unavailable

CHANNEL = "foldline_ledger"
_CHECK_SECONDS = 10.0
_LONGEST_PAUSE_SECONDS = 5.0

log = structlog.get_logger()


class Bell:
    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._rings = 0
        self._rung = asyncio.Event()

    @property
    def rings(self) -> int:
        """How often it rang. Take it before looking at the ledger, and wait for a ring behind it."""
        return self._rings

    def ring(self) -> None:
        self._rings += 1
        # Whoever waits holds this event; the next ones wait for a fresh one.
        self._rung.set()
        self._rung = asyncio.Event()

    async def wait(self, rings: int, seconds: float) -> None:
        """Wait until it rang more than `rings` times, but no longer than `seconds`."""
        if self._rings > rings:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return

    async def listen(self) -> None:
        """Ring for each notification, for ever; reconnect with back-off."""
        pause = 0.1
        while True:
            try:
                await self._listen_once()
                pause = 0.1
            except Exception as error:
                if not is_unavailable(error):
                    raise
                log.warning("ledger_listen_lost", error=str(error), pause=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _listen_once(self) -> None:
        """Listen until the connection is lost."""
        connection = await asyncpg.connect(
            self._dsn,
            timeout=CONNECT_SECONDS,
            command_timeout=CONNECT_SECONDS,
            server_settings=session_settings("foldline-listen"),
        )
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, lambda *_: self.ring())
            # Followers may have missed notifications while nobody listened.
            self.ring()
            while not lost.is_set():
                try:
                    async with asyncio.timeout(_CHECK_SECONDS):
                        await lost.wait()
                except TimeoutError:
                    # A peer that vanished without a word is found only by talking to it.
                    await connection.execute("select 1")
        finally:
            connection.terminate()
