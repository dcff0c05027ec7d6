"""Series of numbers: read whole, thinned out, apart by attempt and rank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
import msgspec
import pytest
from tests.integration.recorder.desk import Desk, read_all, refused
from tests.integration.recorder.stories import Story
from tests.memory import Peak
from tests.unit.domain.graphs import NOW, failure, function, graph

from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.domain.spec import Retry
from foldline.execution import series
from foldline.execution.series import OpenColumn, Point, SeriesKey

LOSS = SeriesKey("metric", "loss")


@pytest.fixture
async def story(desk: Desk) -> Story:
    story = Story(desk.store, graph(function("a", retry=Retry(max_attempts=2)), function("b")))
    story.game.schedule()
    return await story.tell()


async def keep(
    desk: Desk,
    story: Story,
    values: Sequence[float],
    *,
    key: SeriesKey = LOSS,
    step: str = "a",
    attempt: int = 1,
    first: int = 1,
) -> None:
    column = OpenColumn()
    for number, value in enumerate(values, first - 1):
        column.add(Point(number, NOW.timestamp() + number, value))
    name = f"metrics/{story.run_id}/{attempt}/{step}/{first:012d}.points"
    await desk.artifacts.write_object(name, series.encode([column.column(key)]))


async def end(desk: Desk, story: Story, attempt: int = 1, left_out: int = 0) -> None:
    content = msgspec.json.encode({"points": 1, "left_out": left_out})
    await desk.artifacts.write_object(f"metrics/{story.run_id}/{attempt}/a/end.json", content)


def ask(story: Story, **more: Any) -> pb.ReadMetricsRequest:
    return pb.ReadMetricsRequest(workspace="lab", run_id=story.run_id, **more)


async def read(desk: Desk, story: Story, **more: Any) -> list[pb.MetricSeries]:
    return [answer.series for answer in await read_all(desk.stub.ReadMetrics(ask(story, **more)))]


async def test_a_series_is_known_as_a_whole(desk: Desk, story: Story) -> None:
    await keep(desk, story, [3.0, 1.0, 2.0])

    (found,) = await read(desk, story)

    assert (found.step, found.attempt, found.kind, found.name, found.rank) == ("a", 1, "metric", "loss", 0)
    whole = found.whole
    assert (whole.points, whole.first_step, whole.last_step) == (3, 0, 2)
    assert (whole.min, whole.max, whole.last) == (1.0, 3.0, 2.0)
    assert whole.first_time.ToDatetime(tzinfo=NOW.tzinfo) == NOW
    assert not found.buckets


async def test_few_points_come_as_they_are(desk: Desk, story: Story) -> None:
    await keep(desk, story, [3.0, 1.0])
    await keep(desk, story, [2.0], first=3)

    (found,) = await read(desk, story, buckets=10)

    assert [(one.points, one.first_step, one.last) for one in found.buckets] == [
        (1, 0, 3.0),
        (1, 1, 1.0),
        (1, 2, 2.0),
    ]


async def test_a_hundred_thousand_points_are_thinned_out_without_losing_a_peak(
    desk: Desk, story: Story
) -> None:
    values = [0.0] * 100_000
    values[54_321] = 7.0
    for first in range(0, 100_000, 20_000):
        await keep(desk, story, values[first : first + 20_000], first=first + 1)
    peak = Peak()

    (found,) = await read(desk, story, buckets=100)

    assert 50 <= len(found.buckets) <= 100
    assert sum(bucket.points for bucket in found.buckets) == found.whole.points == 100_000
    assert [bucket.first_step <= 54_321 <= bucket.last_step for bucket in found.buckets if bucket.max] == [
        True
    ]
    assert found.whole.max == 7.0
    assert peak.growth < 32 * 1024 * 1024


async def test_series_of_attempts_ranks_and_steps_are_apart(desk: Desk, story: Story) -> None:
    await keep(desk, story, [1.0])
    await keep(desk, story, [5.0], step="b")
    await keep(desk, story, [6.0], step="b", key=SeriesKey("metric", "loss", 1), first=2)
    await keep(desk, story, [0.5], step="b", key=SeriesKey("progress"), first=3)
    story.game.fail("a")
    story.game.wait(10)
    story.game.schedule()
    await story.tell()
    await keep(desk, story, [2.0], attempt=2)

    def values(found: list[pb.MetricSeries]) -> list[tuple[str, int, str, int, float]]:
        return [(one.step, one.attempt, one.name or one.kind, one.rank, one.whole.last) for one in found]

    assert values(await read(desk, story)) == [
        ("a", 2, "loss", 0, 2.0),
        ("b", 1, "loss", 0, 5.0),
        ("b", 1, "loss", 1, 6.0),
        ("b", 1, "progress", 0, 0.5),
    ]
    assert values(await read(desk, story, step="a", attempt=1)) == [("a", 1, "loss", 0, 1.0)]
    assert values(await read(desk, story, name="loss", rank=1)) == [("b", 1, "loss", 1, 6.0)]


async def test_what_was_lost_or_left_out_is_said(desk: Desk, story: Story) -> None:
    await keep(desk, story, [1.0])
    assert not (await read(desk, story))[0].incomplete

    story.game.fail("a", failure("lost"))
    await story.tell()
    assert (await read(desk, story, step="a", attempt=1))[0].incomplete

    await end(desk, story)
    assert not (await read(desk, story, step="a", attempt=1))[0].incomplete

    await end(desk, story, left_out=3)
    assert (await read(desk, story, step="a", attempt=1))[0].incomplete


async def test_a_run_without_metrics_has_none(desk: Desk, story: Story) -> None:
    assert await read(desk, story) == []


async def test_what_there_is_not_is_named(desk: Desk, story: Story) -> None:
    step = await refused(read(desk, story, step="c"), grpc.StatusCode.NOT_FOUND)
    attempt = await refused(read(desk, story, step="a", attempt=3), grpc.StatusCode.NOT_FOUND)
    buckets = await refused(read(desk, story, buckets=10_001), grpc.StatusCode.INVALID_ARGUMENT)

    assert "has no step c" in step
    assert attempt == "step a has no attempt 3; it has had 1"
    assert buckets == "buckets is 10001, but at most 10000 are given"
