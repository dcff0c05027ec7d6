"""Logs of attempts: the kept chunks from the artifact store, continued by the lines that come over NATS.

Lines are put in order by their numbers alone: none comes twice and none is left out, whichever way it came.
A line that went over NATS before the reader listened is found in the store soon after.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from foldline.api.recorder.v1.recorder_service_pb2 import LogLine, ReadLogResponse
from foldline.artifacts.port import ArtifactStore
from foldline.bus.port import Bus
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.run import AttemptState, StepState
from foldline.domain.transitions import FINAL_STEP
from foldline.domain.work import LogEntry
from foldline_recorder.broadcast import Broadcast, Topic
from foldline_recorder.contents import translated
from foldline_recorder.records import Record, Records
from foldline_recorder.streams import run_stream
from foldline_recorder.tail import Tail

LINES_AT_ONCE = 1000
BYTES_AT_ONCE = 256 * 1024

GAP_SECONDS = 0.3  # the store is asked again this soon for lines that went by before anybody listened
SAFETY_SECONDS = 2.0  # and now and then anyway: NATS may be down
PATIENCE_SECONDS = 5.0  # lines that are missing for this long are missing for good

_CHUNK = re.compile(r"/(\d{12})\.jsonl$")
_decoder = msgspec.json.Decoder(LogEntry)


class _Reading:
    """One reader's place in one attempt's log."""

    def __init__(self, record: Record, step: str, attempt: int, after: int, rank: int | None) -> None:
        self.record = record
        self.step = step
        self.attempt = attempt
        self.after = after  # the last line that was given out, or passed over
        self.rank = rank
        self.ranks = max(1, record.state.plan.step(step).ranks)
        self.run_id = record.state.created.run_id
        self.prefix = f"logs/{self.run_id}/{attempt}/{step}/"

    @property
    def state(self) -> AttemptState:
        return self.record.state.step(self.step).attempts[self.attempt - 1]

    @property
    def is_over(self) -> bool:
        return self.state.ended_at is not None or self.record.state.is_final

    @property
    def is_complete(self) -> bool:
        """Every line that the record speaks of was given out."""
        return self.after >= self.state.log_lines

    def answers(self, lines: Sequence[LogEntry]) -> list[ReadLogResponse]:
        """The lines that were not given out yet, in messages of a sensible size."""
        fresh = [line for line in lines if line.number > self.after]
        if fresh:
            self.after = fresh[-1].number
        wanted = [line for line in fresh if self.rank in (None, line.rank)]
        return [
            ReadLogResponse(attempt=self.attempt, ranks=self.ranks, lines=[_line(line) for line in part])
            for part in _parts(wanted)
        ]


class _Pace:
    """When a follower looks into the store again, and when it stops hoping for lines that do not come."""

    def __init__(self) -> None:
        self._clock = asyncio.get_running_loop().time
        self._looked = self._progress = self._clock()
        self.look_now()

    def looked(self) -> None:
        self._looked = self._clock()

    def look_now(self) -> None:
        self._looked = self._clock() - SAFETY_SECONDS

    def progressed(self) -> None:
        self._progress = self._clock()

    def until_look(self, is_missing: bool) -> float:
        return self._looked + (GAP_SECONDS if is_missing else SAFETY_SECONDS) - self._clock()

    @property
    def is_hopeless(self) -> bool:
        return self._clock() - self._progress > PATIENCE_SECONDS


class Logs:
    def __init__(self, store: ArtifactStore, bus: Bus, records: Records, broadcast: Broadcast) -> None:
        self._store = store
        self._bus = bus
        self._records = records
        self._broadcast = broadcast

    async def read(
        self, record: Record, step: str, *, attempt: int, after: int, follow: bool, rank: int | None
    ) -> AsyncGenerator[ReadLogResponse, None]:
        """Lines with a higher number than `after`; attempt 0 is the newest one; of all ranks or of one.

        With `follow` until the attempt has ended, and one that has not begun is waited for.
        """
        _check(record.state.step(step))
        stream = run_stream(record.state.created.run_id)
        with self._broadcast.watch(stream) as topic:
            topic.reach(record.version)
            if follow:
                record = await self._until_begun(topic, record, step, attempt)
            reading = _begin(record, step, attempt, after, rank)
            if reading is None:
                return
            answers = self._follow(topic, reading) if follow else self._kept(reading)
            async with aclosing(answers):
                async for answer in answers:
                    yield answer

    async def _until_begun(self, topic: Topic, record: Record, step: str, attempt: int) -> Record:
        while True:
            state = record.state.step(step)
            if len(state.attempts) >= max(attempt, 1) or state.status in FINAL_STEP or record.state.is_final:
                return record
            await topic.wait(record.version)
            record = await self._newer(record, topic.version)

    async def _follow(self, topic: Topic, reading: _Reading) -> AsyncGenerator[ReadLogResponse, None]:
        # Listening begins before the store is read, so no line falls in between.
        tail = await Tail.open(self._bus, reading.run_id, reading.step, reading.attempt)
        pace = _Pace()
        try:
            while True:
                before, was_over = reading.after, reading.is_over
                is_missing = was_over or tail.first() is not None
                if tail.takes_end():
                    pace.look_now()
                if pace.until_look(is_missing) <= 0:
                    has_end = await self._has_end(reading)
                    async for answer in self._kept(reading):
                        yield answer
                    pace.looked()
                    if has_end or (was_over and reading.is_complete):
                        return
                for answer in reading.answers(tail.take(reading.after)):
                    yield answer
                if tail.is_at_end(reading.after) or (was_over and pace.is_hopeless):
                    return
                await self._pause(topic, tail, reading, pace, has_moved=reading.after > before)
        finally:
            await tail.close()

    async def _pause(
        self, topic: Topic, tail: Tail, reading: _Reading, pace: _Pace, *, has_moved: bool
    ) -> None:
        """Wait until there may be more: from the tail, in the record, or in the store."""
        first = tail.first()  # of lines behind a gap
        if has_moved:
            pace.progressed()
            if first is None:
                pace.looked()  # while lines come by themselves there is no need to look for them
        elif first is not None and pace.is_hopeless:
            reading.after = first - 1
            return
        seconds = pace.until_look(reading.is_over or first is not None)
        await _any(tail.wait(), topic.wait(reading.record.version), seconds=max(seconds, 0))
        if topic.version > reading.record.version:
            was_over = reading.is_over
            reading.record = await self._newer(reading.record, topic.version)
            if reading.is_over and not was_over:
                pace.progressed()
                pace.look_now()

    async def _newer(self, record: Record, version: int) -> Record:
        newer = await self._records.newest(record.state.created.run_id, at_least=version)
        assert newer is not None, "a run does not vanish"
        return newer

    async def _has_end(self, reading: _Reading) -> bool:
        with translated():
            return f"{reading.prefix}end.json" in await self._store.list_objects(reading.prefix)

    async def _kept(self, reading: _Reading) -> AsyncGenerator[ReadLogResponse, None]:
        """What the store has and was not given out yet."""
        with translated():
            keys = await self._store.list_objects(reading.prefix)
        for key in _wanted(keys, reading.after):
            for answer in reading.answers(await self._chunk(key)):
                yield answer

    async def _chunk(self, key: str) -> list[LogEntry]:
        try:
            with translated():
                content = await self._store.read_object(key)
            return _decoder.decode_lines(content)
        except msgspec.MsgspecError as error:
            raise FoldlineError(
                Kind.INTERNAL, "LOG_UNREADABLE", f"{key} does not hold lines of a log: {error}", key=key
            ) from error


def _check(step: StepState) -> None:
    if not step.is_work:
        raise FoldlineError(
            Kind.PRECONDITION,
            "STEP_HAS_NO_LOG",
            f"step {step.name} is a {step.kind}; only steps that run on an executor have logs",
            step=step.name,
        )


def _begin(record: Record, step: str, attempt: int, after: int, rank: int | None) -> _Reading | None:
    """None where the newest attempt is asked for and there is none."""
    attempts = len(record.state.step(step).attempts)
    if attempt > attempts:
        raise FoldlineError(
            Kind.NOT_FOUND,
            "UNKNOWN_ATTEMPT",
            f"step {step} has no attempt {attempt}; it has had {attempts}",
            step=step,
        )
    return _Reading(record, step, attempt or attempts, after, rank) if attempts else None


def _wanted(keys: Sequence[str], after: int) -> list[str]:
    """Of the sorted keys, the chunks that may hold lines behind `after`."""
    chunks = [(int(match[1]), key) for key in keys if (match := _CHUNK.search(key))]
    begins = [number for number, _ in chunks if number <= after + 1]
    first = begins[-1] if begins else 0
    return [key for number, key in chunks if number >= first]


def _parts(lines: Sequence[LogEntry]) -> list[Sequence[LogEntry]]:
    parts: list[Sequence[LogEntry]] = []
    start = size = 0
    for place, line in enumerate(lines):
        if place - start == LINES_AT_ONCE or (size > BYTES_AT_ONCE and place > start):
            parts.append(lines[start:place])
            start, size = place, 0
        size += len(line.text)
    if start < len(lines):
        parts.append(lines[start:])
    return parts


def _line(entry: LogEntry) -> LogLine:
    line = LogLine(number=entry.number, stream=entry.stream, text=entry.text, rank=entry.rank)
    line.time.FromDatetime(entry.time)
    return line


async def _any(*waits: Coroutine[Any, Any, None], seconds: float) -> bool:
    """Wait for the first of them; False when none ended in time."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        for task in tasks:
            task.cancel()
