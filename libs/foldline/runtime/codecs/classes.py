"""JSON as an instance of the class that a step's own parameter is annotated with.

The class is the reader's, named in its code; the data say nothing of classes. Dataclasses, NamedTuples and
pydantic models are built from an object with their fields; everything else stays as it is.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any


def annotations_of(function: Callable[..., Any]) -> dict[str, Any]:
    """By parameter; nothing where they name what is not imported. Looked up once in a process."""
    try:
        return _annotations_of(function)
    except TypeError:  # it cannot be hashed
        return _annotations_of.__wrapped__(function)


@functools.lru_cache(maxsize=128)
def _annotations_of(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return inspect.get_annotations(inspect.unwrap(function), eval_str=True)
    except Exception:  # noqa: BLE001 - annotations are expressions of the author's
        return {}


def built(value: Any, annotation: Any) -> Any:
    """The value as the annotated class, where that is one of records. Raises what its constructor raises."""
    if not isinstance(annotation, type) or not isinstance(value, dict):
        return value
    if any(_is_pydantic(kind) for kind in annotation.__mro__):
        return annotation.model_validate(value)  # type: ignore[attr-defined]  # pydantic's own
    if dataclasses.is_dataclass(annotation):
        hints = _hints(annotation)
        names = [field.name for field in dataclasses.fields(annotation) if field.init]
    elif issubclass(annotation, tuple) and hasattr(annotation, "_fields"):
        hints, names = _hints(annotation), list(annotation._fields)
    else:
        return value
    given = {name: built(value[name], hints.get(name)) for name in names if name in value}
    return annotation(**given)


def _hints(record: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(record)
    except Exception:  # noqa: BLE001 - annotations are expressions of the author's
        return {}


def _is_pydantic(kind: type) -> bool:
    return kind.__name__ == "BaseModel" and kind.__module__.partition(".")[0] == "pydantic"
