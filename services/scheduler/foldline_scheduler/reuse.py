"""The table of what steps with `cache` gave, by key; and who is about to find out.

A cache beside the ledger: whatever is missing here costs a step that runs, and what is here was recorded
before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.relations import Reuse
from foldline.pg import sql
from foldline.pg.connect import Pool
from foldline.pg.errors import is_unavailable

_FIND = sql.load("foldline_scheduler", "find_reuse")
_CLAIM = sql.load("foldline_scheduler", "claim_reuse")
_KEEP = sql.load("foldline_scheduler", "keep_reuse")
_RELEASE = sql.load("foldline_scheduler", "release_reuse")

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Reuse)


def reuse_row(workspace: str, key: str) -> str:
    """Where it is kept. Workspaces take nothing over from each other."""
    return f"{workspace}/{key}"


class Entry(msgspec.Struct, frozen=True):
    """What is known under a key: `reuse` is None while the attempt of (run_id, step) is under way."""

    run_id: str
    step: str
    reuse: Reuse | None


class ReuseTable:
    """All methods raise UNAVAILABLE when the database cannot be reached."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, key: str) -> Entry | None:
        with _translated():
            row = await self._pool.fetchrow(_FIND, key)
        if row is None:
            return None
        reuse = None if row["reuse"] is None else _decoder.decode(row["reuse"])
        return Entry(row["run_id"], row["step"], reuse)

    async def claim(self, key: str, run_id: str, step: str, *, abandoned: str = "") -> bool:
        """Be the one that runs it; False where somebody else is. A claim of run `abandoned` is taken over."""
        with _translated():
            return await self._pool.fetchval(_CLAIM, key, run_id, step, abandoned) is not None

    async def keep(self, key: str, reuse: Reuse) -> None:
        """What an attempt gave, for equal ones from now on."""
        with _translated():
            await self._pool.execute(_KEEP, key, reuse.run_id, reuse.step, _encoder.encode(reuse).decode())

    async def release(self, run_id: str, steps: Sequence[str] = ()) -> None:
        """Give up claims of the run; without steps all of them."""
        with _translated():
            await self._pool.execute(_RELEASE, run_id, list(steps))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not is_unavailable(error):
            raise
        raise FoldlineError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", str(error)) from error
