"""Leases on partitions: who owns which runs.

A lease is taken and kept by one statement; it is believed for as long as the statement's *start* plus the
lease time, measured on the own monotonic clock, so that a scheduler that was paused knows that it has lost
its partitions before anyone else could have been given them. A stale owner is harmless in any case: its
append meets a version conflict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import asyncpg

from foldline.chassis import logs
from foldline.pg import sql
from foldline_scheduler.open_runs import OpenRuns
from foldline_scheduler.owner import Owner

log = logs.logger()

_LEASE = sql.load("foldline_scheduler", "lease_partitions")
_RELEASE = sql.load("foldline_scheduler", "release_partitions")


class Leases:
    """Keeps as many partitions as it can get and tells the owner."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        owner: Owner,
        open_runs: OpenRuns,
        *,
        name: str,
        seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._owner = owner
        self._open_runs = open_runs
        self._name = name
        self._seconds = seconds
        self._monotonic = monotonic
        self._believed_until = 0.0
        self._held: frozenset[int] = frozenset()

    async def keep(self) -> None:
        """One round: renew, take what is free, adopt its runs. Called every third of the lease time."""
        asked_at = self._monotonic()
        try:
            async with asyncio.timeout(self._seconds):
                rows = await self._pool.fetch(_LEASE, self._name, self._seconds)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            if self._monotonic() > self._believed_until:
                self._change(frozenset())
            raise
        self._believed_until = asked_at + self._seconds
        gained = frozenset(row["partition"] for row in rows) - self._held
        self._change(frozenset(row["partition"] for row in rows))
        if gained:
            log.info("partitions_gained", partitions=sorted(gained))
            await self._owner.adopt(await self._open_runs.of(gained))

    async def release(self) -> None:
        """Let go at the end of the process, so that the next owner need not wait."""
        self._change(frozenset())
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            async with asyncio.timeout(2.0):
                await self._pool.execute(_RELEASE, self._name)

    def _change(self, held: frozenset[int]) -> None:
        if lost := self._held - held:
            log.warning("partitions_lost", partitions=sorted(lost))
        self._held = held
        self._owner.set_partitions(held)
