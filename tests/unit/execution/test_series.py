"""Series on their way to the store and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldline.execution import series
from foldline.execution.series import OpenColumn, Point, SeriesKey

POINTS = st.builds(
    Point,
    step=st.integers(-(2**63) + 1, 2**63 - 1),
    time=st.floats(allow_nan=False),
    value=st.floats(allow_nan=False),
)


@given(st.lists(POINTS))
def test_points_come_back_as_they_were(points: list[Point]) -> None:
    column = OpenColumn()
    for point in points:
        column.add(point)
    key = SeriesKey("metric", "loss", 3)

    (found,) = series.decode(series.encode([column.column(key)]))

    assert found.key == key
    assert list(found.points()) == points


def test_a_hundred_thousand_points_are_small() -> None:
    column = OpenColumn()
    for number in range(100_000):
        column.add(Point(number, 1.7e9 + number // 1000, 1 / (number + 1)))

    assert len(series.encode([column.column(SeriesKey("metric", "loss"))])) < 2_000_000


@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_what_is_no_piece_is_refused(content: bytes) -> None:
    with pytest.raises(series.UnreadableSeries):
        series.decode(content)
