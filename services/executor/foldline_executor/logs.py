"""Logs of attempts: kept in the object store piece by piece, published live as they come.

Kept under logs/<run>/<attempt>/<step>/: pieces named by the number of their first line (12 digits, .jsonl,
one LogEntry a line), and end.json once there will be no more. The piece that grows is written again under its
name until it is full. Numbers have no gap and times never go back, so the names are an index of both.
What is live may be lost; what is kept is not.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence

import msgspec
import structlog

from foldline.artifacts.port import ArtifactStore, StoreUnavailableError
from foldline.bus import subjects
from foldline.bus.port import Bus
from foldline.chassis.clock import Clock
from foldline.domain.errors import FoldlineError
from foldline.domain.work import AttemptKey, LogChunk, LogEntry
from foldline.execution.cuts import DEFAULT_LIMIT, Cut, Limit, Timed
from foldline.execution.notes import NOTE, entry_of
from foldline.runtime.launcher import Line
from foldline.wire import work
from foldline_executor import metrics
from foldline_executor.patience import PatientWriter
from foldline_executor.series import DEFAULT_POINTS, AttemptSeries

PIECE_BYTES = 256 * 1024
LIVE_BYTES = 256 * 1024

log = structlog.get_logger()
_encoder = msgspec.json.Encoder()


class AttemptLog:
    """The log of one attempt, and its series. `add` returns when there is room for more: the step waits."""

    def __init__(
        self,
        key: AttemptKey,
        *,
        store: ArtifactStore,
        bus: Bus,
        clock: Clock,
        patience: float,
        limit: Limit = DEFAULT_LIMIT,
        points: int = DEFAULT_POINTS,
    ) -> None:
        """A store that is away is tried for `patience` seconds; the step waits meanwhile."""
        self.lines = 0
        self._writer = PatientWriter(store, patience)
        self._points = points
        self._series: AttemptSeries | None = None
        """Once there is a note: most attempts have none."""
        self._cut = Cut(limit)
        self._key = key
        self._bus = bus
        self._clock = clock
        self._now = clock.now()
        self._folder = f"logs/{key.run_id}/{key.attempt}/{key.step}"
        self._subject = subjects.log(key.run_id, key.step, key.attempt)
        self._is_ended = False
        self._piece = bytearray()
        self._written = 0
        self._first = 1
        self._keeping = asyncio.Lock()

    async def begin_once(self) -> bool:
        """Leave a trace of the attempt in the store; False where somebody has before us.

        Raises StoreUnavailableError when the store stays away.
        """
        folder = f"begun/{self._key.run_id}/{self._key.attempt}/{self._key.step}/"
        if await self._writer.has_any(folder):
            return False
        await self._writer.write(f"{folder}trace", b"")
        return True

    async def add(self, lines: Sequence[Line]) -> None:
        """Raises StoreUnavailableError when the store stays away."""
        self._writer.check()
        self._is_ended = False
        # Clocks may be set back; a log is searched by its times.
        now = self._now = max(self._now, self._clock.now())
        metrics.LINES.inc(len(lines))
        await self._write(taken for line in lines if (taken := self._cut.take(Timed(line, now))) is not None)
        if any(line.stream == NOTE for line in lines):
            if self._series is None:
                self._series = AttemptSeries(self._key, self._writer, limit=self._points)
            if said := await self._series.add(lines, now):
                await self.note(said)

    async def note(self, text: str) -> None:
        """A word of the platform; not worth a failure."""
        with contextlib.suppress(StoreUnavailableError):
            await self.add([Line("system", line) for line in text.splitlines()])

    async def keep(self) -> None:
        """Bring what is in memory to the store."""
        async with self._keeping:
            size, last = len(self._piece), self.lines
            if size > self._written:
                await self._writer.write(f"{self._folder}/{self._first:012d}.jsonl", bytes(self._piece))
                self._written = size
            if size >= PIECE_BYTES:
                del self._piece[:size]
                self._written, self._first = 0, last + 1
        if self._series is not None:
            await self._series.keep()

    async def end(self) -> None:
        """No more lines will come. Saying so twice does nothing."""
        if self._is_ended:
            return
        self._is_ended = True
        await self._write(self._cut.end())
        if not self.lines:
            return  # the report says so; there is nothing to keep, and nobody has heard of a log
        await self.keep()
        if self._series is not None:
            await self._series.end()
        await self._writer.write(f"{self._folder}/end.json", _encoder.encode({"lines": self.lines}))
        await self._publish([], end=True)

    async def _write(self, lines: Iterable[Timed]) -> None:
        live: list[LogEntry] = []
        size = 0
        for one in lines:
            self.lines += 1
            entry = entry_of(one.line, self.lines, one.time)
            encoded = _encoder.encode(entry)
            self._piece += encoded + b"\n"
            live.append(entry)
            size += len(encoded)
            if size >= LIVE_BYTES:
                await self._publish(live)
                live, size = [], 0
            if len(self._piece) >= PIECE_BYTES:
                await self.keep()
        if live:
            await self._publish(live)

    async def _publish(self, lines: Sequence[LogEntry], *, end: bool = False) -> None:
        chunk = LogChunk(key=self._key, lines=tuple(lines), end=end)
        try:
            await self._bus.publish(self._subject, work.encode(chunk))
        except FoldlineError as error:
            log.debug("log_not_published", key=str(self._key), error=error.message)
