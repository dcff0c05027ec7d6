"""The pool's sessions, on a real server."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from foldline.pg import connect
from foldline.pg.errors import is_lost

LOCK = "select pg_advisory_xact_lock(1)"


async def test_who_stands_still_in_a_transaction_is_cut_off_before_others_take_over(database: str) -> None:
    """As a program does that is stopped: others have to get what it had locked within a lease and a bit."""

    async def stand_still() -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(LOCK)
            async with asyncio.timeout(10), pool.acquire() as other:
                await other.execute(LOCK)
            await connection.execute("select 1")

    async with connect.pool(database, name="test", max_size=2) as pool:
        with pytest.raises(
            (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
        ) as cut:
            await stand_still()

        assert is_lost(cut.value)
        assert [await pool.fetchval("select 1") for _ in range(2)] == [1, 1]
