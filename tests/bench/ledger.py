"""The ledger as the bench reads it: from Postgres, so that waiting for runs costs the platform little.

A watch would keep the recorder, the gateway and the client busy while the steps run; on a small machine
that is part of what is measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from foldline.pg.connect import Connection, session_settings

_ENDS = ("RunCompleted", "RunFailed", "RunStopped")
_READ = "select type, time, payload from ledger.events where stream = $1 order by version"
# The end of a run is among its last events; large runs are not read again and again for it.
_ENDED = """
    select asked.stream, last.type
    from unnest($1::text[]) as asked (stream)
    cross join lateral (
        select type from ledger.events where stream = asked.stream order by version desc limit 5
    ) as last
    where last.type = any($2)
"""
_SHORTEST_PAUSE_SECONDS = 0.02
_PATIENCE_SECONDS = 600.0


class Fact(msgspec.Struct, frozen=True):
    """An event: when its writer decided it, in seconds since 1970, and what it says."""

    type: str
    time: float
    data: dict[str, Any]


class Ledger:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def history(self, run_id: str) -> list[Fact]:
        rows = await self.connection.fetch(_READ, f"run-{run_id}")
        return [
            Fact(row["type"], row["time"].timestamp(), msgspec.json.decode(row["payload"])) for row in rows
        ]

    async def until_completed(self, run_ids: Iterable[str]) -> None:
        """Wait for all of them. One that ends in another way ends the bench: nothing to measure."""
        waiting = {f"run-{run_id}" for run_id in run_ids}
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while waiting:
            asked = time.monotonic()
            if asked > deadline:
                raise SystemExit(f"{len(waiting)} runs did not end in {_PATIENCE_SECONDS:g} s")
            for row in await self.connection.fetch(_ENDED, list(waiting), _ENDS):
                if row["type"] != "RunCompleted":
                    raise SystemExit(f"{row['stream']} ended with {row['type']}: nothing to measure")
                waiting.discard(row["stream"])
            # A question of large runs takes a while; then it is asked less often.
            await asyncio.sleep(max(_SHORTEST_PAUSE_SECONDS, 10 * (time.monotonic() - asked)))


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator[Ledger]:
    connection = await asyncpg.connect(dsn, server_settings=session_settings("foldline-bench"))
    try:
        yield Ledger(connection)
    finally:
        await connection.close()
