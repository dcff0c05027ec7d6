"""Logs of attempts: kept in the object store piece by piece, published live as they come.

Kept under logs/<run>/<attempt>/<step>/: pieces named by the number of their first line (12 digits, .jsonl,
one LogEntry a line), and end.json once there will be no more. What is live may be lost; what is kept is not.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import msgspec
import structlog

from foldline.artifacts.port import ArtifactStore, StoreUnavailableError
from foldline.bus import subjects
from foldline.bus.port import Bus
from foldline.chassis.clock import Clock
from foldline.domain.errors import FoldlineError
from foldline.domain.work import AttemptKey, LogChunk, LogEntry
from foldline.execution.notes import entry_of
from foldline.runtime.launcher import Line
from foldline.wire import work
from foldline_executor import metrics

PIECE_BYTES = 64 * 1024
LIVE_BYTES = 256 * 1024
_FIRST_PAUSE_SECONDS = 0.1

log = structlog.get_logger()
_encoder = msgspec.json.Encoder()


class AttemptLog:
    """The log of one attempt. `add` returns when there is room for more: the step has to wait for it."""

    def __init__(
        self, key: AttemptKey, *, store: ArtifactStore, bus: Bus, clock: Clock, patience: float
    ) -> None:
        """A store that is away is tried for `patience` seconds; the step waits meanwhile."""
        self.lines = 0
        self._patience = patience
        self._lost: StoreUnavailableError | None = None
        self._key = key
        self._store = store
        self._bus = bus
        self._clock = clock
        self._folder = f"logs/{key.run_id}/{key.attempt}/{key.step}"
        self._subject = subjects.log(key.run_id, key.step, key.attempt)
        self._is_ended = False
        self._piece = bytearray()
        self._first = 1
        self._keeping = asyncio.Lock()

    async def add(self, lines: Sequence[Line]) -> None:
        """Raises StoreUnavailableError when the store stays away."""
        if self._lost is not None:
            raise self._lost
        now = self._clock.now()
        live: list[LogEntry] = []
        size = 0
        for line in lines:
            self.lines += 1
            entry = entry_of(line, self.lines, now)
            encoded = _encoder.encode(entry)
            self._piece += encoded + b"\n"
            live.append(entry)
            size += len(encoded)
            if size >= LIVE_BYTES:
                await self._publish(live)
                live, size = [], 0
            if len(self._piece) >= PIECE_BYTES:
                await self.keep()
        metrics.LINES.inc(len(lines))
        if live:
            await self._publish(live)

    async def note(self, text: str) -> None:
        """A word of the platform; not worth a failure."""
        with contextlib.suppress(StoreUnavailableError):
            await self.add([Line("system", line) for line in text.splitlines()])

    async def keep(self) -> None:
        """Bring what is in memory to the store."""
        async with self._keeping:
            if not self._piece:
                return
            content, first = bytes(self._piece), self._first
            self._piece.clear()
            self._first = self.lines + 1
            await self._write(f"{self._folder}/{first:012d}.jsonl", content)

    async def end(self) -> None:
        """No more lines will come. Saying so twice does nothing."""
        if self._is_ended:
            return
        self._is_ended = True
        await self.keep()
        await self._write(f"{self._folder}/end.json", _encoder.encode({"lines": self.lines}))
        await self._publish([], end=True)

    async def _write(self, key: str, content: bytes) -> None:
        """A log with a gap is none: once a piece was lost, everything further is refused."""
        if self._lost is not None:
            raise self._lost
        give_up = asyncio.get_running_loop().time() + self._patience
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._store.write_object(key, content)
            except StoreUnavailableError as error:
                if asyncio.get_running_loop().time() + pause > give_up:
                    self._lost = error
                    raise
                log.warning("log_not_kept", key=key, error=str(error))
            await asyncio.sleep(pause)
            pause *= 2

    async def _publish(self, lines: Sequence[LogEntry], *, end: bool = False) -> None:
        chunk = LogChunk(key=self._key, lines=tuple(lines), end=end)
        try:
            await self._bus.publish(self._subject, work.encode(chunk))
        except FoldlineError as error:
            log.debug("log_not_published", key=str(self._key), error=error.message)
