"""Long series, short pictures."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from foldline.execution.series import Point
from foldline_recorder.sampling import Sampler

VALUES = st.lists(st.floats(allow_nan=False), min_size=1, max_size=300)


def sampled(values: list[float], most: int) -> Sampler:
    sampler = Sampler(most)
    for step, value in enumerate(values):
        sampler.add(Point(step, float(step), value))
    return sampler


@given(VALUES, st.integers(1, 40))
def test_buckets_hold_every_point_once_with_its_extremes(values: list[float], most: int) -> None:
    sampler = sampled(values, most)

    assert len(sampler.buckets) <= most
    if len(values) >= most:
        assert len(sampler.buckets) >= (most + 1) // 2
    start = 0
    for bucket in sampler.buckets:
        part = values[start : start + bucket.points]
        assert (bucket.min, bucket.max, bucket.last.value) == (min(part), max(part), part[-1])
        assert (bucket.first.step, bucket.last.step) == (start, start + len(part) - 1)
        start += bucket.points
    assert start == len(values)


@given(VALUES, st.integers(0, 5))
def test_the_whole_is_known_whatever_the_buckets(values: list[float], most: int) -> None:
    whole = sampled(values, most).whole

    assert whole is not None
    assert (whole.points, whole.min, whole.max) == (len(values), min(values), max(values))
    assert whole.last.value == values[-1]


def test_without_buckets_none_are_made() -> None:
    assert sampled([1.0, 2.0], 0).buckets == []
