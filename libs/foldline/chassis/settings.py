"""The environment, read once into a frozen value. The only reader of os.environ.

A service declares a frozen msgspec Struct (or dataclass); field `token_key` is read from FOLDLINE_TOKEN_KEY.
All problems are reported together. An empty variable is a set one: it means "" for a string and is an
error for everything else, secrets included.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeVar, cast, get_type_hints

import msgspec

S = TypeVar("S")


class Secret:
    """A value that never shows itself in logs, tracebacks or reprs."""

    __slots__ = ("value",)

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)


class SettingsError(Exception):
    """Everything that is wrong with the environment, one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("the environment is not usable:\n" + "\n".join(f"  {line}" for line in problems))
        self.problems = tuple(problems)


class _Field(NamedTuple):
    name: str
    type: Any
    required: bool


def load(cls: type[S], prefix: str = "FOLDLINE_", environ: Mapping[str, str] | None = None) -> S:
    """Read `cls` from the environment; raise SettingsError naming every problem."""
    source = os.environ if environ is None else environ  # noqa: TID251 - the one place
    values: dict[str, object] = {}
    problems: list[str] = []
    for field in _fields(cls):
        variable = prefix + field.name.upper()
        text = source.get(variable)
        if text is None:
            if field.required:
                problems.append(f"{variable} is not set")
            continue
        if not text and field.type is Secret:
            problems.append(f"{variable} is empty")
            continue
        try:
            values[field.name] = _convert(text, field.type)
        except msgspec.ValidationError as error:
            problems.append(f"{variable} is wrong: {_explain(error, text, field.type)}")
    if problems:
        raise SettingsError(problems)
    return cls(**values)


def _fields(cls: type[Any]) -> Iterator[_Field]:
    hints = get_type_hints(cls)
    if dataclasses.is_dataclass(cls):
        for one in dataclasses.fields(cls):
            bare = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
            yield _Field(one.name, hints[one.name], bare)
    else:
        for entry in msgspec.structs.fields(cast("type[msgspec.Struct]", cls)):
            yield _Field(entry.name, hints[entry.name], entry.required)


def _convert(text: str, type_: Any) -> object:
    return msgspec.convert(text, type_, strict=False, dec_hook=_decode)


def _decode(type_: type[Any], text: Any) -> object:
    """Types that msgspec does not know: Secret, Path and the like, each made of one string."""
    return type_(text)


def _explain(error: msgspec.ValidationError, text: str, type_: Any) -> str:
    # A secret's value must not reach the log, and msgspec's message never contains the value.
    return str(error) if type_ is Secret else f"{error} (got {text!r})"
