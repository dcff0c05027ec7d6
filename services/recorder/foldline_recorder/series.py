"""The series that attempts recorded: read piece by piece from the artifact store, thinned out on the way."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from foldline.api.recorder.v1.recorder_service_pb2 import MetricBucket, MetricSeries, ReadMetricsResponse
from foldline.artifacts.port import ArtifactStore
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.run import AttemptState, StepState
from foldline.execution import series
from foldline.execution.series import METRIC, SeriesKey
from foldline_recorder.contents import translated
from foldline_recorder.records import Record
from foldline_recorder.sampling import Bucket, Sampler

MOST_BUCKETS = 10_000

MOST_BUCKETS_AT_ONCE = 2_000_000
"""Of all series of an attempt together: what a reader may cost in memory."""


class Wanted(Struct, frozen=True, kw_only=True):
    step: str = ""  # all that run on executors
    attempt: int = 0  # the newest
    name: str = ""  # all
    rank: int | None = None
    buckets: int = 0

    def has(self, key: SeriesKey) -> bool:
        if self.rank is not None and key.rank != self.rank:
            return False
        return not self.name or (key.kind == METRIC and key.name == self.name)


class _End(Struct, frozen=True):
    points: int
    left_out: int = 0


class Series:
    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    async def read(self, record: Record, wanted: Wanted) -> AsyncGenerator[ReadMetricsResponse, None]:
        """A message per series, in the order of steps, kinds, names and ranks."""
        steps = [record.state.step(wanted.step)] if wanted.step else record.state.steps
        for step in steps:
            if step.is_work and (attempt := _attempt(step, wanted)) is not None:
                async for one in self._of_attempt(record, step.name, attempt, wanted):
                    yield ReadMetricsResponse(series=one)

    async def _of_attempt(
        self, record: Record, step: str, attempt: AttemptState, wanted: Wanted
    ) -> AsyncGenerator[MetricSeries, None]:
        prefix = f"metrics/{record.state.created.run_id}/{attempt.number}/{step}/"
        with translated():
            keys = await self._store.list_objects(prefix)
        samplers: dict[SeriesKey, Sampler] = {}
        for piece in keys:
            if piece.endswith(".points"):
                await self._sample(piece, samplers, wanted)
        end = await self._end(f"{prefix}end.json") if f"{prefix}end.json" in keys else None
        is_over = attempt.ended_at is not None or record.state.is_final
        is_incomplete = bool(end.left_out) if end is not None else is_over
        for key, sampler in sorted(samplers.items(), key=lambda item: item[0]):
            whole = sampler.whole
            assert whole is not None, "a column has a point"
            yield MetricSeries(
                step=step,
                attempt=attempt.number,
                rank=key.rank,
                kind=key.kind,
                name=key.name,
                whole=_bucket(whole),
                buckets=map(_bucket, sampler.buckets),
                incomplete=is_incomplete,
            )

    async def _sample(self, piece: str, samplers: dict[SeriesKey, Sampler], wanted: Wanted) -> None:
        with translated():
            content = await self._store.read_object(piece)
        try:
            columns = series.decode(content)
        except series.UnreadableSeries as error:
            message = f"{piece} does not hold a piece of series: {error}"
            raise FoldlineError(Kind.INTERNAL, "SERIES_UNREADABLE", message, key=piece) from error
        for column in columns:
            if wanted.has(column.key):
                if column.key not in samplers:
                    _check_room(len(samplers) + 1, wanted)
                sampler = samplers.setdefault(column.key, Sampler(wanted.buckets))
                for point in column.points():
                    sampler.add(point)

    async def _end(self, key: str) -> _End:
        with translated():
            return msgspec.json.decode(await self._store.read_object(key), type=_End)


def _attempt(step: StepState, wanted: Wanted) -> AttemptState | None:
    """None where there is none. Raises NOT_FOUND where one step's attempt is asked for by a wrong number."""
    if wanted.step and wanted.attempt > len(step.attempts):
        message = f"step {step.name} has no attempt {wanted.attempt}; it has had {len(step.attempts)}"
        raise FoldlineError(Kind.NOT_FOUND, "UNKNOWN_ATTEMPT", message, step=step.name)
    if wanted.attempt:
        return step.attempts[wanted.attempt - 1] if wanted.attempt <= len(step.attempts) else None
    return step.attempts[-1] if step.attempts else None


def _check_room(count: int, wanted: Wanted) -> None:
    if count * wanted.buckets > MOST_BUCKETS_AT_ONCE:
        message = (
            f"{count} series of {wanted.buckets} buckets are too much at once; name one, or ask for fewer"
        )
        raise FoldlineError(Kind.INVALID, "TOO_MANY_BUCKETS", message)


def _bucket(bucket: Bucket) -> MetricBucket:
    message = MetricBucket(
        points=bucket.points,
        first_step=bucket.first.step,
        last_step=bucket.last.step,
        min=bucket.min,
        max=bucket.max,
        last=bucket.last.value,
    )
    message.first_time.FromDatetime(datetime.fromtimestamp(bucket.first.time, UTC))
    message.last_time.FromDatetime(datetime.fromtimestamp(bucket.last.time, UTC))
    return message
