"""Series of numbers that a step records on its way, as they are kept: pieces of columns, packed.

Kept under metrics/<run>/<attempt>/<step>/: pieces named by the number of their first point (12 digits,
.points), and end.json once there will be no more. A piece is compressed MessagePack of `Column`s; in each,
steps are 64-bit integers, times (seconds since 1970) and values 64-bit floats, all little-endian.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Iterable

import msgspec

METRIC = "metric"
PROGRESS = "progress"

MOST_SERIES = 1000
"""Of one attempt."""


class SeriesKey(msgspec.Struct, frozen=True, order=True):
    kind: str
    name: str = ""
    rank: int = 0


class Point(msgspec.Struct, frozen=True, gc=False):
    step: int
    time: float
    value: float


class Column(msgspec.Struct, frozen=True):
    """Consecutive points of one series."""

    key: SeriesKey
    steps: bytes
    times: bytes
    values: bytes

    def points(self) -> Iterable[Point]:
        steps: array[int] = array("q", self.steps)
        times, values = array("d", self.times), array("d", self.values)
        for column in (steps, times, values):
            _to_little(column)
        return map(Point, steps, times, values)


class OpenColumn:
    """A column that grows."""

    def __init__(self) -> None:
        self._steps = array("q")
        self._times = array("d")
        self._values = array("d")

    def add(self, point: Point) -> None:
        self._steps.append(point.step)
        self._times.append(point.time)
        self._values.append(point.value)

    def column(self, key: SeriesKey) -> Column:
        return Column(key, _packed(self._steps), _packed(self._times), _packed(self._values))


class UnreadableSeries(Exception):
    """A piece is not what `encode` makes."""


def encode(columns: Iterable[Column]) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(list(columns)), 1)


def decode(content: bytes) -> list[Column]:
    """Raises UnreadableSeries."""
    try:
        return msgspec.msgpack.decode(zlib.decompress(content), type=list[Column])
    except (zlib.error, msgspec.MsgspecError) as error:
        raise UnreadableSeries(str(error)) from error


def _packed(column: array[int] | array[float]) -> bytes:
    copied = column[:]
    _to_little(copied)
    return copied.tobytes()


def _to_little(column: array[int] | array[float]) -> None:
    """Between this machine's order of bytes and the kept one; the same both ways."""
    if sys.byteorder != "little":
        column.byteswap()
