"""Which attempts were heard of: an order that comes twice starts once.

Bounded: an order is sent again only until its end is acknowledged, so what ended long ago is forgotten. A
session may carry out millions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")

REMEMBERED = 20_000
"""Far more than can be on the way twice: those that ended within the last minutes."""


class Known(Generic[K]):
    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._keys: dict[K, int] = {}  # the oldest first, with how often each was asked for again

    def __contains__(self, key: K) -> bool:
        return key in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: K, is_held: Callable[[K], bool]) -> None:
        """Remember it; forget the oldest ones beyond the limit, but none that is still held."""
        self._keys[key] = 0
        for _ in range(len(self._keys) - self._limit):
            oldest = next(iter(self._keys))
            asked = self._keys.pop(oldest)
            if is_held(oldest):
                self._keys[oldest] = asked

    def ask_again(self, key: K) -> int:
        """How often, this time included, somebody asked for what is known."""
        self._keys[key] += 1
        return self._keys[key]
