"""Wakes followers of the ledger: rung by this process's own appends and by NOTIFY of the others'.

A ring says which types of events were committed, so that a follower of other types sleeps on: nearly all
commits are of no interest to most followers.

A bell is a hint. Whoever waits for it also polls, so a lost notification costs time and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import asyncpg
import msgspec
import structlog

from foldline.chassis import background
from foldline.pg.connect import CONNECT_SECONDS, session_settings
from foldline.pg.errors import is_unavailable

CHANNEL = "foldline_ledger"
_CHECK_SECONDS = 10.0
_LONGEST_PAUSE_SECONDS = 5.0
_LONGEST_NOTICE = 7900  # bytes; Postgres takes less than 8000

log = structlog.get_logger()


class Bell:
    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._rings = 0
        self._rings_for_all = 0  # the last ring that did not say for which types it was
        self._rings_for: dict[str, int] = {}  # the last ring for a type
        self._waiting: dict[asyncio.Future[None], frozenset[str] | None] = {}

    @property
    def rings(self) -> int:
        """How often it rang. Take it before looking at the ledger, and wait for a ring behind it."""
        return self._rings

    def ring(self, types: Collection[str] | None = None) -> None:
        """Events of these types were committed; None: of any."""
        self._rings += 1
        if types is None:
            self._rings_for_all = self._rings
        else:
            self._rings_for.update(dict.fromkeys(types, self._rings))
        for waiting, wanted in self._waiting.items():
            # One who was woken is here until its turn comes.
            if not waiting.done() and (types is None or wanted is None or not wanted.isdisjoint(types)):
                waiting.set_result(None)

    def hear(self, notice: str) -> None:
        """Another process tells of commits."""
        self.ring(_types(notice))

    async def wait(self, rings: int, seconds: float, types: frozenset[str] | None = None) -> None:
        """Wait until it rang for one of `types` (None: any) after the first `rings` times, but no longer
        than `seconds`."""
        if self._last_for(types) > rings:
            return
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[waiting] = types
        try:
            async with asyncio.timeout(seconds):
                await waiting
        except TimeoutError:
            return
        finally:
            del self._waiting[waiting]

    def _last_for(self, types: frozenset[str] | None) -> int:
        if types is None:
            return self._rings
        return max(self._rings_for_all, *(self._rings_for.get(one, 0) for one in types), 0)

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
            background.require_wanted()
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
            background.require_wanted()
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, lambda *heard: self.hear(str(heard[-1])))
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


def notice(types: Collection[str]) -> str:
    """What a notification says of commits; nothing where that would be too long for one."""
    text = msgspec.json.encode(sorted(types)).decode()
    return text if len(text.encode()) <= _LONGEST_NOTICE else ""


def _types(notice: str) -> list[str] | None:
    try:
        return msgspec.json.decode(notice, type=list[str])
    except msgspec.MsgspecError:
        return None  # it says nothing, or was sent by another version
