"""What differs between two attempts of a step, in words: from the parts of their keys (`keys.parts_of`)."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from foldline.domain.keys import Parts
from foldline.domain.spec import Json

_SENTENCES = {
    "kind": "it is another kind of step",
    "function": "it is another function",
    "command": "its command changed",
    "ranks": "it has another number of ranks",
    "code": "its code changed",
    "environment": "its environment changed",
    "pickle": "it may use pickle now, or no longer",
    "outputs": "its outputs are declared differently",
    "body": "what runs inside it changed",
    "map": "it runs over another input, or tolerates other failures",
    "repeat": "its limits or what it carries over changed",
    "until": "its end condition, or what that looks at, changed",
    "wait": "its question changed",
    "place": "it is in another place",
    "before": "what comes before it gave something else",
}
_LONGEST = 40


def differences(earlier: Parts, now: Parts) -> list[str]:
    """One clause for every difference, what an author changed first."""
    clauses = [text for part, text in _SENTENCES.items() if _encoded(earlier, part) != _encoded(now, part)]
    return [*clauses, *_inputs(earlier.get("inputs", {}), now.get("inputs", {}))]


def _encoded(parts: Parts, part: str) -> bytes:
    return msgspec.json.encode(parts.get(part), order="sorted")


def _inputs(earlier: dict[str, Json], now: dict[str, Json]) -> Iterator[str]:
    for name in dict.fromkeys((*now, *earlier)):
        if name not in earlier:
            yield f"input {name} is new"
        elif name not in now:
            yield f"input {name} is gone"
        elif _encoded(earlier, name) != _encoded(now, name):
            yield f"input {name} is {_shown(now[name])} instead of {_shown(earlier[name])}"


def _shown(identity: Json) -> str:
    """A value as its JSON, an artifact as the beginning of its digest."""
    if "value" in identity:
        text = msgspec.json.encode(identity["value"]).decode()
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    return str(identity["digest"])[: len("sha256:") + 8]
