"""Logs of attempts: the kept chunks from the artifact store, continued by the lines that come over NATS.

Lines are put in order by their numbers alone: none comes twice and none is left out, whichever way it came.
A line that went over NATS before the reader listened is found in the store soon after.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterator, Sequence
from contextlib import aclosing
from typing import Any

from msgspec import Struct

from foldline.api.recorder.v1.recorder_service_pb2 import LogLine, ReadLogResponse
from foldline.artifacts.port import ArtifactStore
from foldline.bus.port import Bus
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.run import AttemptState, StepState
from foldline.domain.transitions import FINAL_STEP
from foldline.domain.work import LogEntry
from foldline_recorder.broadcast import Broadcast, Topic
from foldline_recorder.kept import KeptLog
from foldline_recorder.records import Record, Records
from foldline_recorder.sieves import Sieve
from foldline_recorder.streams import run_stream
from foldline_recorder.tail import Tail

LINES_AT_ONCE = 1000
BYTES_AT_ONCE = 256 * 1024

GAP_SECONDS = 0.3  # the store is asked again this soon for lines that went by before anybody listened
SAFETY_SECONDS = 2.0  # and now and then anyway: NATS may be down
PATIENCE_SECONDS = 5.0  # lines that are missing for this long are missing for good

LOST = "the executor of this attempt was lost; what it wrote last may be missing"


class Part(Struct, frozen=True, kw_only=True):
    """What of a log is asked for."""

    attempt: int = 0  # 0 is the newest one
    after: int = 0
    before: int = 0  # 0 is behind the last one
    sieve: Sieve = Sieve()
    tail: int = 0
    limit: int = 0
    follow: bool = False

    def __post_init__(self) -> None:
        if self.follow and (self.before or self.limit):
            self._refuse("what is followed has no end: before_line and limit cannot be with follow")
        if self.tail and self.limit:
            self._refuse("tail and limit cannot be together: one counts from the end, one from the beginning")

    def _refuse(self, message: str) -> None:
        raise FoldlineError(Kind.INVALID, "LOG_PART_INVALID", message)


class _Reading:
    """One reader's place in one attempt's log."""

    def __init__(self, record: Record, step: str, attempt: int, part: Part, store: ArtifactStore) -> None:
        self.record = record
        self.step = step
        self.attempt = attempt
        self.part = part
        self.after = part.after  # the last line that was looked at
        self.missing = ""  # to be told with the next lines
        self.run_id = record.state.created.run_id
        self.kept = KeptLog(store, f"logs/{self.run_id}/{attempt}/{step}/")
        self.is_full = False
        self._ranks = max(1, record.state.plan.step(step).ranks)
        self._given = 0
        self._told = part.after

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

    async def begin(self) -> None:
        """Go to where the wanted lines begin."""
        part = self.part
        if part.sieve.since is not None:
            self.after = await self.kept.before_time(self.after, part.sieve.since)
        if part.tail:
            self.after = await self.kept.before_newest(part.tail, self.after, part.before, part.sieve)

    def answers(self, lines: Sequence[LogEntry]) -> Iterator[ReadLogResponse]:
        """The wanted ones of the lines that were not looked at yet, in messages of a sensible size."""
        fresh = [line for line in lines if line.number > self.after]
        if self.part.before and fresh and fresh[-1].number >= self.part.before:
            fresh = [line for line in fresh if line.number < self.part.before]
            self.is_full = True
        if not fresh:
            return
        self.after = fresh[-1].number
        wanted = (
            fresh if self.part.sieve.is_open else [line for line in fresh if self.part.sieve.passes(line)]
        )
        if self.part.limit and self._given + len(wanted) >= self.part.limit:
            wanted = wanted[: self.part.limit - self._given]
            self.after = wanted[-1].number
            self.is_full = True
        self._given += len(wanted)
        for part in _parts(wanted):
            yield self._answer([_line(line) for line in part], part[-1].number)

    def last(self, *, has_end: bool) -> Iterator[ReadLogResponse]:
        """What there is to say when no more lines come."""
        if self.is_over and not self.is_full and not has_end:
            if not self.is_complete:
                self.missing = _lines_missing(self.after + 1, self.state.log_lines)
            elif self.state.failure is not None and self.state.failure.kind == "lost":
                self.missing = LOST
        has_more = bool(self.part.limit) and self.is_full
        if self.missing or has_more or self._told < self.after:
            yield self._answer([], self.after, more=has_more)

    def pass_over(self, until: int) -> None:
        """Give up lines that do not come."""
        self.missing = _lines_missing(self.after + 1, until)
        self.after = until

    def _answer(self, lines: Sequence[LogLine], last: int, *, more: bool = False) -> ReadLogResponse:
        said, self.missing, self._told = self.missing, "", last
        return ReadLogResponse(
            lines=lines, attempt=self.attempt, ranks=self._ranks, last_line=last, missing=said, more=more
        )


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

    async def read(self, record: Record, step: str, part: Part) -> AsyncGenerator[ReadLogResponse, None]:
        """The part of the log that is asked for.

        With `follow` until the attempt has ended, and one that has not begun is waited for.
        """
        _check(record.state.step(step))
        stream = run_stream(record.state.created.run_id)
        with self._broadcast.watch(stream) as topic:
            topic.reach(record.version)
            if part.follow:
                record = await self._until_begun(topic, record, step, part.attempt)
            attempt = _attempt(record, step, part.attempt)
            if not attempt:
                return
            reading = _Reading(record, step, attempt, part, self._store)
            await reading.begin()
            answers = self._follow(topic, reading) if part.follow else self._kept(reading)
            async with aclosing(answers):
                async for answer in answers:
                    yield answer
            has_end = (await reading.kept.listing()).has_end
            for answer in reading.last(has_end=has_end):
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
                    has_end = (await reading.kept.listing()).has_end
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
            reading.pass_over(first - 1)
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

    async def _kept(self, reading: _Reading) -> AsyncGenerator[ReadLogResponse, None]:
        """What the store has and was not looked at yet."""
        async with aclosing(reading.kept.read(reading.after)) as pieces:
            async for lines in pieces:
                for answer in reading.answers(lines):
                    yield answer
                if reading.is_full:
                    return


def _check(step: StepState) -> None:
    if not step.is_work:
        raise FoldlineError(
            Kind.PRECONDITION,
            "STEP_HAS_NO_LOG",
            f"step {step.name} is a {step.kind}; only steps that run on an executor have logs",
            step=step.name,
        )


def _attempt(record: Record, step: str, asked: int) -> int:
    """0 where the newest attempt is asked for and there is none."""
    attempts = len(record.state.step(step).attempts)
    if asked > attempts:
        raise FoldlineError(
            Kind.NOT_FOUND,
            "UNKNOWN_ATTEMPT",
            f"step {step} has no attempt {asked}; it has had {attempts}",
            step=step,
        )
    return asked or attempts


def _lines_missing(first: int, last: int) -> str:
    return f"line {first} is missing" if first == last else f"lines {first} to {last} are missing"


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
