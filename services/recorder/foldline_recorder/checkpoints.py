"""How far each follower of the ledger has got."""

from __future__ import annotations

from foldline.eventstore.port import START, Position
from foldline.pg import sql
from foldline.pg.connect import Pool
from foldline_recorder.database import translated

_LOAD = sql.load("foldline_recorder", "load_checkpoint")
_SAVE = sql.load("foldline_recorder", "save_checkpoint")

RUNS = "runs"
RELAY = "relay"


class Checkpoints:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def load(self, follower: str) -> Position:
        with translated():
            row = await self._pool.fetchrow(_LOAD, follower)
        return START if row is None else Position(row["transaction"], row["number"])

    async def save(self, follower: str, position: Position) -> None:
        with translated():
            await self._pool.execute(_SAVE, follower, position.transaction, position.number)
