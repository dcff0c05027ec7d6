"""Lists of artifacts: what a map runs over and what it gives.

A list is an artifact of its own: the JSON array of the artifacts in it, null for an item that failed. It
travels in events while it is small; a larger one is stored by its digest before the event that names it
is appended (`stored` says which bytes). Of a map with several children the result is a list of their
lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

import msgspec
from msgspec import UNSET, UnsetType

from foldline.domain.artifacts import Artifact, Item
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.releases import digest
from foldline.domain.spec import Json

LIST = "list"
LISTS = "lists"

INLINE_BYTES = 8 * 1024
"""Longer lists are named by their digest alone: a map of 100,000 items has hundreds of them in one state."""

ITEMS_OF_A_CHILD = 100
BYTES_OF_A_CHILD = 256 * 1024
"""A map's child gets so many items at most, and so much of them in its RunCreated."""

LONGEST_LIST = 1_000_000

_decoder = msgspec.json.Decoder(list[Artifact | None])


class Stored(NamedTuple):
    """A list as an artifact, and its bytes, which have to be in the store unless the artifact has a value."""

    artifact: Artifact
    content: bytes


def stored(artifacts: Sequence[Artifact | None]) -> Stored:
    """The list of these artifacts."""
    return _stored(list(artifacts), LIST)


def joined(parts: Sequence[Artifact]) -> Stored:
    """One list of several: the only one as it is, otherwise a list of lists."""
    if len(parts) == 1:
        return Stored(parts[0], b"")
    return _stored(list(parts), LISTS)


def _stored(artifacts: list[Artifact | None] | list[Artifact], encoding: str) -> Stored:
    content = msgspec.json.encode(artifacts)
    is_small = len(content) <= INLINE_BYTES and encoding == LIST
    return Stored(
        Artifact(
            digest=digest(content),
            type="list",
            encoding=encoding,
            size_bytes=len(content),
            value=msgspec.json.decode(content) if is_small else UNSET,
        ),
        content,
    )


def entries(content: bytes) -> list[Artifact | None]:
    """The artifacts of a list, from its bytes."""
    return _decoder.decode(content)


def values(artifact: Artifact) -> list[Json] | UnsetType:
    """The JSON values of a list that travels whole in the event; UNSET where one of them does not."""
    if artifact.value is UNSET:
        return UNSET
    found: list[Json] = []
    for entry in msgspec.convert(artifact.value, list[Artifact | None]):
        value = None if entry is None else entry.value
        if value is UNSET:
            return UNSET
        found.append(value)
    return found


class _Values(Sequence[Item]):
    """The items of a JSON list, made when they are looked at: each child of a map looks at a few of them."""

    def __init__(self, values: Sequence[Json]) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, place: int) -> Item: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Item]: ...

    def __getitem__(self, place: int | slice) -> Item | Sequence[Item]:
        if isinstance(place, slice):
            return tuple(Item(value=one) for one in self._values[place])
        return Item(value=self._values[place])


def items(value: Json) -> Sequence[Item]:
    """The items of a JSON list. Raises INVALID NOT_A_LIST and LIST_TOO_LONG."""
    if not isinstance(value, list | tuple):
        raise FoldlineError(Kind.INVALID, "NOT_A_LIST", f"a map runs over a list, not over {_what(value)}")
    if len(value) > LONGEST_LIST:
        message = f"the list has {len(value)} items; a map runs over {LONGEST_LIST} at most"
        raise FoldlineError(Kind.INVALID, "LIST_TOO_LONG", message)
    return _Values(value)


def inline_items(artifact: Artifact) -> Sequence[Item] | None:
    """The items of an artifact whose content is in the event; None where it has to be fetched."""
    if artifact.value is UNSET:
        return None
    if artifact.encoding == LIST:
        return items_of(msgspec.convert(artifact.value, list[Artifact | None]))
    return items(artifact.value)


def items_of(found: Sequence[Artifact | None]) -> tuple[Item, ...]:
    """What failed in an earlier map is null here."""
    return tuple(Item(value=None) if one is None else Item(artifact=one) for one in found)


def sizes(found: Sequence[Item]) -> tuple[int, ...]:
    """How many items each child gets: few enough that its first event stays small."""
    return tuple(_sizes(found))


def _sizes(found: Sequence[Item]) -> Iterator[int]:
    count = size = 0
    for item in found:
        more = len(msgspec.json.encode(item))
        if count and (count == ITEMS_OF_A_CHILD or size + more > BYTES_OF_A_CHILD):
            yield count
            count = size = 0
        count += 1
        size += more
    if count:
        yield count


def _what(value: Json) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}..."
