"""The kept part of a log: pieces in the artifact store, one of them in memory at a time.

A piece is named by the number of its first line; numbers have no gap, times never go back. So the names are
an index of the lines, and the times are found by halving.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from datetime import datetime

import msgspec

from foldline.artifacts.port import ArtifactStore
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.work import LogEntry
from foldline_recorder.contents import translated
from foldline_recorder.sieves import Sieve

_PIECE = re.compile(r"/(\d{12})\.jsonl$")
_decoder = msgspec.json.Decoder(LogEntry)


class Listing(msgspec.Struct, frozen=True):
    """The pieces that there are now, by their first lines, in order."""

    pieces: tuple[tuple[int, str], ...]
    has_end: bool

    def behind(self, after: int) -> list[str]:
        """Keys of the pieces that may hold lines behind `after`."""
        begins = [number for number, _ in self.pieces if number <= after + 1]
        first = begins[-1] if begins else 0
        return [key for number, key in self.pieces if number >= first]


class KeptLog:
    """Of one attempt."""

    def __init__(self, store: ArtifactStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    async def listing(self) -> Listing:
        with translated():
            keys = await self._store.list_objects(self._prefix)
        pieces = tuple((int(match[1]), key) for key in keys if (match := _PIECE.search(key)))
        return Listing(pieces, f"{self._prefix}end.json" in keys)

    async def read(self, after: int) -> AsyncGenerator[list[LogEntry], None]:
        """All lines with a higher number, a piece at a time."""
        for key in (await self.listing()).behind(after):
            yield await self._piece(key)

    async def before_time(self, after: int, since: datetime) -> int:
        """The highest number from `after` on, as far as pieces tell, all lines up to which are too old."""
        pieces = [(first, key) for first, key in (await self.listing()).pieces if first > after + 1]
        low, high = 0, len(pieces)
        while low < high:
            middle = (low + high) // 2
            lines = await self._piece(pieces[middle][1])
            if lines and lines[0].time >= since:
                high = middle
            else:
                low = middle + 1
        return pieces[low - 1][0] - 1 if low else after

    async def before_newest(self, count: int, after: int, before: int, wanted: Sieve) -> int:
        """The number behind which there are the newest `count` of the wanted lines, or all that there are."""
        for first, key in reversed((await self.listing()).pieces):
            if before and first >= before:
                continue
            for line in reversed(await self._piece(key)):
                if line.number <= after:
                    return after
                if (before and line.number >= before) or not wanted.passes(line):
                    continue
                count -= 1
                if not count:
                    return line.number - 1
        return after

    async def _piece(self, key: str) -> list[LogEntry]:
        try:
            with translated():
                content = await self._store.read_object(key)
            return _decoder.decode_lines(content)
        except msgspec.MsgspecError as error:
            raise FoldlineError(
                Kind.INTERNAL, "LOG_UNREADABLE", f"{key} does not hold lines of a log: {error}", key=key
            ) from error
