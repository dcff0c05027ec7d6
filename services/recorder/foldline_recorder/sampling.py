"""Long series made short: consecutive points in buckets, with what a picture needs of each. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from foldline.execution.series import Point


class Bucket:
    """A number of consecutive points."""

    __slots__ = ("first", "last", "max", "min", "points")

    def __init__(self, point: Point) -> None:
        self.points = 1
        self.first = self.last = point
        self.min = self.max = point.value

    def add(self, point: Point) -> None:
        self.points += 1
        self.last = point
        self.min = min(self.min, point.value)
        self.max = max(self.max, point.value)

    def join(self, later: Bucket) -> None:
        self.points += later.points
        self.last = later.last
        self.min = min(self.min, later.min)
        self.max = max(self.max, later.max)


class Sampler:
    """Takes the points of one series in their order. However many there are, it holds `most` buckets at most.

    When they are full, every two become one that is twice as wide; so there are more than half of `most`
    in the end, unless there are fewer points.
    """

    def __init__(self, most: int) -> None:
        self.whole: Bucket | None = None
        self._most = most
        self._width = 1
        self._buckets: list[Bucket] = []

    @property
    def buckets(self) -> Sequence[Bucket]:
        return self._buckets

    def add(self, point: Point) -> None:
        if self.whole is None:
            self.whole = Bucket(point)
        else:
            self.whole.add(point)
        if self._most:
            self._sort_in(point)

    def _sort_in(self, point: Point) -> None:
        is_last_full = not self._buckets or self._buckets[-1].points == self._width
        if is_last_full and len(self._buckets) == self._most:
            self._halve()
            is_last_full = self._buckets[-1].points == self._width
        if is_last_full and len(self._buckets) < self._most:
            self._buckets.append(Bucket(point))
        else:
            self._buckets[-1].add(point)

    def _halve(self) -> None:
        self._width *= 2
        halved: list[Bucket] = []
        for place, bucket in enumerate(self._buckets):
            if place % 2:
                halved[-1].join(bucket)
            else:
                halved.append(bucket)
        self._buckets = halved
