"""From what a function returned to its declared outputs, by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from foldline.runtime.failures import StepError

Declared = tuple[tuple[str, str], ...]


def split(value: object, declared: Declared) -> Iterator[tuple[str, str, object]]:
    """Name, declared type and value of each output; StepError where the names are not the declared ones."""
    if not declared:
        return iter(())
    if len(declared) == 1 and declared[0][0] == "output":
        return iter([(*declared[0], value)])
    fields = _fields(value)
    names = [name for name, _ in declared]
    if fields is None:
        raise _wrong(
            f"returned {_a(value)}; it declares several outputs ({', '.join(names)}), so it must return "
            "a dict, NamedTuple or dataclass with exactly these names"
        )
    if set(fields) != set(names):
        raise _wrong(_difference(names, list(fields)))
    return iter([(name, kind, fields[name]) for name, kind in declared])


def _fields(value: object) -> Mapping[str, object] | None:
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=True))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return None


def _difference(names: list[str], found: list[str]) -> str:
    parts = []
    if missing := [name for name in names if name not in found]:
        parts.append(f"without {', '.join(missing)}")
    if extra := [name for name in found if name not in names]:
        parts.append(f"with {', '.join(extra)}, which it does not declare")
    return f"returned its outputs {' and '.join(parts)}; declared are {', '.join(names)}"


def _a(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _wrong(message: str) -> StepError:
    return StepError("invalid", "OUTPUTS_WRONG", f"the step {message}")
