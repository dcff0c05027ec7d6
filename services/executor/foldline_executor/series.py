"""The series of an attempt: metrics and progress, point by point, kept in the object store in pieces.

The piece that grows is written again and again under its name until it is full, so that there are few of them
and a killed executor takes only the newest points with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import msgspec

from foldline.domain.work import AttemptKey
from foldline.execution import series
from foldline.execution.notes import NOTE, parse
from foldline.execution.series import METRIC, MOST_SERIES, PROGRESS, OpenColumn, Point, SeriesKey
from foldline.runtime.jobs import Line
from foldline_executor.patience import PatientWriter

PIECE_POINTS = 20_000
DEFAULT_POINTS = 10_000_000


class AttemptSeries:
    """Of one attempt. `add` returns when there is room for more."""

    def __init__(self, key: AttemptKey, writer: PatientWriter, *, limit: int) -> None:
        self._folder = f"metrics/{key.run_id}/{key.attempt}/{key.step}"
        self._writer = writer
        self._limit = limit
        self._columns: dict[SeriesKey, OpenColumn] = {}
        self._counts: dict[SeriesKey, int] = {}
        self._first = 1
        self._points = 0
        self._written = 0
        self._left_out = 0
        self._is_told = False
        self._keeping = asyncio.Lock()

    async def add(self, lines: Sequence[Line], now: datetime) -> str:
        """Take the points out of notes; once, what there is to say about those that are left out."""
        time = now.timestamp()
        for line in lines:
            if line.stream == NOTE:
                self._add(line, time)
                if self._points - self._first + 1 >= PIECE_POINTS:
                    await self.keep()
        if self._left_out and not self._is_told:
            self._is_told = True
            kept = f"{self._limit:,} points in {MOST_SERIES:,} series"
            return f"some metrics are left out from here on: of an attempt at most {kept} are kept"
        return ""

    async def keep(self) -> None:
        """Bring what is in memory to the store."""
        async with self._keeping:
            if self._written == self._points:
                return
            first, points = self._first, self._points
            columns, is_full = self._columns, points - first + 1 >= PIECE_POINTS
            content = series.encode(column.column(key) for key, column in columns.items())
            if is_full:
                self._columns, self._first = {}, points + 1
            await self._writer.write(f"{self._folder}/{first:012d}.points", content)
            self._written = points

    async def end(self) -> None:
        """No more points will come."""
        if not self._points:
            return
        await self.keep()
        end = {"points": self._points, "left_out": self._left_out}
        await self._writer.write(f"{self._folder}/end.json", msgspec.json.encode(end))

    def _add(self, line: Line, time: float) -> None:
        match parse(line.text):
            case {"progress": float(fraction)}:
                self._point(SeriesKey(PROGRESS, "", line.rank), None, time, fraction)
            case {"metric": str(name), "value": float(value), "step": int(step)} if abs(step) < 2**63:
                self._point(SeriesKey(METRIC, name, line.rank), step, time, value)
            case {"metric": str(name), "value": float(value)}:
                self._point(SeriesKey(METRIC, name, line.rank), None, time, value)

    def _point(self, key: SeriesKey, step: int | None, time: float, value: float) -> None:
        count = self._counts.get(key, 0)
        if self._points >= self._limit or (not count and len(self._counts) >= MOST_SERIES):
            self._left_out += 1
            return
        self._counts[key] = count + 1
        self._points += 1
        point = Point(count if step is None else step, time, value)
        self._columns.setdefault(key, OpenColumn()).add(point)
