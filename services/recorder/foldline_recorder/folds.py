"""A cache of folds by stream and version, bounded by the bytes of the events behind them."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")

OVERHEAD_BYTES = 4096
"""What an entry costs however small its events are."""


class Folds(Generic[T]):
    """Forgets what was asked for longest ago. States share structure, so the bound is a generous one."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._size = 0
        self._entries: OrderedDict[tuple[str, int], tuple[T, int]] = OrderedDict()
        self._versions: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, stream: str, version: int, fold: T, size: int) -> None:
        self.drop(stream, version)
        cost = size + OVERHEAD_BYTES
        self._entries[stream, version] = fold, cost
        insort(self._versions.setdefault(stream, []), version)
        self._size += cost
        while self._size > self._limit and self._entries:
            self.drop(*next(iter(self._entries)))

    def newest(self, stream: str) -> T | None:
        versions = self._versions.get(stream)
        return self._take(stream, versions[-1]) if versions else None

    def at_most(self, stream: str, version: int) -> T | None:
        """The fold of the highest version that is not above `version`."""
        versions = self._versions.get(stream, [])
        place = bisect_right(versions, version)
        return self._take(stream, versions[place - 1]) if place else None

    def drop(self, stream: str, version: int) -> None:
        entry = self._entries.pop((stream, version), None)
        if entry is None:
            return
        self._size -= entry[1]
        versions = self._versions[stream]
        versions.remove(version)
        if not versions:
            del self._versions[stream]

    def _take(self, stream: str, version: int) -> T:
        self._entries.move_to_end((stream, version))
        return self._entries[stream, version][0]
