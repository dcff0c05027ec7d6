"""The pool factory. Every connection names its process and acts as its service's database role."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg

# Strings, because the driver's classes are generic for type checkers alone.
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = (
    "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
)
Acquired: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 30.0


@asynccontextmanager
async def pool(
    dsn: str, *, role: str = "", name: str, min_size: int = 1, max_size: int = 5
) -> AsyncIterator[Pool]:
    """A pool of connections; driver errors are the caller's to translate.

    `role` is what the connections may do (none: what the login may), `name` is shown in pg_stat_activity.
    """
    async with asyncpg.create_pool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        timeout=CONNECT_SECONDS,
        command_timeout=COMMAND_SECONDS,
        server_settings=session_settings(name, role),
        reset=_leave_as_it_is,
    ) as opened:
        yield opened


async def _leave_as_it_is(_: Connection) -> None:
    """Nobody changes the settings of a pooled session, so a round trip per use to set them back is for
    nothing. (An open transaction is rolled back by the driver.)"""


def session_settings(name: str, role: str = "") -> dict[str, str]:
    settings = {
        "application_name": name,
        "timezone": "UTC",
        # Statements here are small and many; compiling one costs more than running it.
        "jit": "off",
        # An open transaction that wrote holds back every reader of the ledger (docs/adr/0003), and whoever
        # waits for its locks. A program that is stopped in the middle of one is cut off before others take
        # over its work.
        "idle_in_transaction_session_timeout": "2s",
    }
    return {**settings, "role": role} if role else settings
