"""What people see of an artifact without decoding it: a small piece of JSON, made where the value is at hand.

A preview is for looking at. It never decides anything, is never read to get at the value, and a value that
cannot be shown is stored all the same.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

LIMIT_BYTES = 32 * 1024
"""A larger preview loses its longest parts."""

ROWS = 10
COLUMNS = 50
LONGEST_TEXT = 2000
_LONGEST_CELL = 100
_ENTRIES = 200


def bounded(preview: Mapping[str, Any]) -> dict[str, Any]:
    """The preview without its longest parts, until it is small enough."""
    found = dict(preview)
    while found and _size(found) > LIMIT_BYTES:
        longest = max(found, key=lambda name: _size(found[name]))
        del found[longest]
        found["cut"] = [*found.get("cut", []), longest]
    return found


def cell(value: Any) -> Any:
    """One value of a table or a setting, in JSON."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < 2**53 else str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return cell(value.item())
    text = value if isinstance(value, str) else repr(value) if isinstance(value, bytes) else str(value)
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"


def cells(values: Iterable[Any]) -> list[Any]:
    return [cell(value) for value in itertools.islice(values, COLUMNS)]


def named(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name, the first so many."""
    return {str(name): cell(value) for name, value in itertools.islice(values.items(), _ENTRIES)}


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, allow_nan=False, default=str).encode())
