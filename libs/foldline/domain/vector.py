"""A persistent vector: a tuple whose `set` copies a few small tuples instead of everything.

A run's state holds one entry per step and changes one entry per event; with plain tuples a run of n steps
would cost n² copies. Same idea as Clojure's vectors (P. Bagwell, "Ideal Hash Trees", 2001), two levels deep:
leaves of 32, so 10,000 steps cost a copy of 32 + 313 references per change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, Self, TypeVar

T = TypeVar("T")

_WIDTH = 32


class Vector(Generic[T]):
    """Immutable; indexing and iteration as with a tuple."""

    __slots__ = ("_leaves", "_length")

    def __init__(self, items: Iterable[T] = ()) -> None:
        flat = tuple(items)
        self._length = len(flat)
        self._leaves = tuple(flat[start : start + _WIDTH] for start in range(0, len(flat), _WIDTH))

    def set(self, place: int, item: T) -> Self:
        """A vector with `item` at `place`; this one stays as it is. Raises IndexError."""
        if not 0 <= place < self._length:
            raise IndexError(place)
        row, column = divmod(place, _WIDTH)
        leaf = self._leaves[row]
        changed = type(self).__new__(type(self))
        changed._length = self._length  # noqa: SLF001 - one of our own kind
        changed._leaves = (  # noqa: SLF001 - as above
            *self._leaves[:row],
            (*leaf[:column], item, *leaf[column + 1 :]),
            *self._leaves[row + 1 :],
        )
        return changed

    def changes(self, before: Self) -> Iterator[int]:
        """The places at which this one, which has the same length, holds another object than `before`."""
        for row, (old, new) in enumerate(zip(before._leaves, self._leaves, strict=True)):
            if old is not new:
                yield from (row * _WIDTH + column for column, one in enumerate(new) if one is not old[column])

    def __getitem__(self, place: int) -> T:
        row, column = divmod(place, _WIDTH)
        return self._leaves[row][column]

    def __iter__(self) -> Iterator[T]:
        for leaf in self._leaves:
            yield from leaf

    def __len__(self) -> int:
        return self._length

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vector) and self._leaves == other._leaves

    def __hash__(self) -> int:
        return hash(self._leaves)

    def __repr__(self) -> str:
        return f"Vector({list(self)!r})"
