"""Leases on partitions: who owns which runs.

Every scheduler keeps one row alive that says it is here; a partition whose owner is not here any more is
free. Each takes free partitions up to its share of all, and gives up what it has beyond that, so that
replicas that come and go are balanced within a round. Who gives something up, or leaves, tells the others.

A lease is believed for as long as the *start* of the statement that renewed it plus the lease time, on the
own monotonic clock, so a scheduler that was paused knows that it has lost its partitions before it does
anything else. A stale owner is harmless in any case: its append meets a version conflict. Every change is one
statement: who is stopped at any moment has no lock for which the others would have to wait.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

import asyncpg

from foldline.bus import subjects
from foldline.bus.port import Bus, Message
from foldline.chassis import logs
from foldline.domain.errors import FoldlineError
from foldline.pg import sql
from foldline_scheduler.owner import Owner
from foldline_scheduler.partitions import PARTITIONS

log = logs.logger()

_KEEP = sql.load("foldline_scheduler", "keep_member")
_TAKE = sql.load("foldline_scheduler", "take_partitions")
_GIVE_UP = sql.load("foldline_scheduler", "give_up_partitions")
_REMOVE = sql.load("foldline_scheduler", "remove_member")

_AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)


class Leases:
    """Keeps this scheduler's share of the partitions and tells the owner; `gained` takes over their runs."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        owner: Owner,
        bus: Bus,
        gained: Callable[[frozenset[int]], Awaitable[None]],
        *,
        name: str,
        seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._owner = owner
        self._bus = bus
        self._gained = gained
        self._name = name
        self._seconds = seconds
        self._monotonic = monotonic
        self._believed_until = 0.0
        self._held: frozenset[int] = frozenset()
        self._round = asyncio.Lock()
        self._is_leaving = False

    async def keep(self) -> None:
        """One round: renew, give up what is too much, take what is free. Called every third of the lease
        time, and when others tell that there may be something to take.
        """
        async with self._round:
            if self._is_leaving:
                return
            asked_at = self._monotonic()
            try:
                async with asyncio.timeout(self._seconds):
                    held, surplus = await self._renew()
            except _AWAY:
                if self._monotonic() > self._believed_until:
                    self._change(frozenset())
                raise
            if self._monotonic() > self._believed_until:
                # It had run out: others may have had the partitions meanwhile, and written to their runs.
                self._change(frozenset())
            self._believed_until = asked_at + self._seconds
            new = held - self._held
            self._change(held)
            if surplus:
                await self._pool.execute(_GIVE_UP, self._name, sorted(surplus))
                await self._tell()
            if new:
                log.info("partitions_gained", partitions=sorted(new))
                await self._gained(new)

    async def on_told(self, _: Message) -> None:
        """Somebody gave something up."""
        if len(self._held) < PARTITIONS:
            with suppress(*_AWAY):  # the next round says so
                await self.keep()

    async def release(self) -> None:
        """Let go at the end of the process, so that the next owner need not wait."""
        async with self._round:
            self._is_leaving = True
            self._change(frozenset())
            with suppress(*_AWAY):
                async with asyncio.timeout(2.0):
                    await self._pool.execute(_REMOVE, self._name)
                    await self._tell()

    async def _renew(self) -> tuple[frozenset[int], frozenset[int]]:
        """What is ours from now on, and what of it is too much."""
        row = await self._pool.fetchrow(_KEEP, self._name, self._seconds)
        assert row is not None
        mine = row["mine"]
        share = math.ceil(PARTITIONS / row["members"])
        if len(mine) < share:
            taken = await self._pool.fetch(_TAKE, self._name, share - len(mine))
            mine = [*mine, *(one["partition"] for one in taken)]
        kept = sorted(mine, key=lambda one: one not in self._held)[:share]
        return frozenset(kept), frozenset(mine) - frozenset(kept)

    async def _tell(self) -> None:
        with suppress(FoldlineError):  # the others look every now and then
            await self._bus.publish(subjects.PARTITIONS, b"")

    def _change(self, held: Iterable[int]) -> None:
        held = frozenset(held)
        if lost := self._held - held:
            log.info("partitions_given_up", partitions=sorted(lost))
        self._held = held
        self._owner.set_partitions(held, believed_until=self._believed_until)
