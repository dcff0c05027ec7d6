"""A connection of the pool that stays with whoever says the same few statements all the time.

Their plans are made once and kept: which index serves a statement of the ledger does not depend on its
arguments, and planning costs more than running. A plan may have been made while the ledger was empty, so
reading a whole table is ruled out.
"""

from __future__ import annotations

import asyncpg

from foldline.chassis import background
from foldline.pg.connect import Acquired, Pool

_SETTINGS = "set plan_cache_mode = force_generic_plan; set enable_seqscan = off"


class KeptConnection:
    """Use by one task at a time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._connection: Acquired | None = None

    @property
    def is_open(self) -> bool:
        """There is one, be it broken."""
        return self._connection is not None

    async def get(self) -> Acquired:
        """No reset and no queue between two statements."""
        if self._connection is not None and _is_gone(self._connection):
            await self.drop()
        if self._connection is None:
            self._connection = await self._pool.acquire()
            background.require_wanted()
            await self._connection.execute(_SETTINGS)
        return self._connection

    async def drop(self) -> None:
        """End it, for its settings are not those of the pool."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if not _is_gone(connection):
            connection.terminate()
        await self._pool.release(connection)


def _is_gone(connection: Acquired) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True  # the pool took it back by itself when it broke
