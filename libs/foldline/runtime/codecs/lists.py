"""What a map gave: a list of artifacts, each read by its own encoding; null where an item had failed.

The list is JSON: an array of artifacts, of which small JSON values are in the list itself. Of several lists
that are one (`lists`) the entries follow each other. A list is read piece by piece, so that a hundred
thousand entries take no more memory than their values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from foldline.runtime.jobs import LISTS, Given

MOST_READS = 1000
"""Of a longer list its own digest alone is recorded as read: it names all the others."""

Decode = Callable[[str, Given], object]


def read(name: str, given: Given, decode: Decode) -> list[object]:
    """The values of a list. Raises what `decode` raises, and ValueError for what is no list."""
    return [
        _value(f"{name}[{place}]", entry, given.items, decode)
        for place, entry in enumerate(_entries(_content(given), given.encoding, given.items))
    ]


def digests(given: Given) -> list[str]:
    """The digests of the list and of everything in it."""
    found = [given.digest]
    for digest in _digests(_content(given), given.items):
        found.append(digest)
        if len(found) > MOST_READS:
            return [given.digest]
    return list(dict.fromkeys(found))


def _content(given: Given) -> Any:
    content = json.loads(Path(given.file).read_bytes()) if given.file else given.value
    if not isinstance(content, list):
        raise ValueError("it is no list of artifacts")
    return content


def _entries(content: Any, encoding: str, items: dict[str, Given]) -> Iterator[Any]:
    if encoding == LISTS[0]:
        yield from content
        return
    for part in content:
        yield from _entries(_content(_given(part, items)), part["encoding"], items)


def _digests(content: Any, items: dict[str, Given]) -> Iterator[str]:
    for entry in content:
        if entry is not None:
            yield entry["digest"]
            if entry["encoding"] in LISTS:
                yield from _digests(_content(_given(entry, items)), items)


def _value(name: str, entry: Any, items: dict[str, Given], decode: Decode) -> object:
    if entry is None:
        return None
    if "value" in entry and entry["encoding"] not in LISTS:
        return entry["value"]
    return decode(name, _given(entry, items))


def _given(entry: Any, items: dict[str, Given]) -> Given:
    """The file of an entry; lists in lists bring theirs along."""
    if "value" in entry:
        return Given(value=entry["value"], encoding=entry["encoding"], digest=entry["digest"], items=items)
    found = items[entry["digest"]]
    if entry["encoding"] not in LISTS:
        return found
    return Given(file=found.file, encoding=found.encoding, digest=found.digest, items=items)
