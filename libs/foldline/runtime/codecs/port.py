"""What every codec offers."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


class NotStorable(Exception):
    """Why a value has no safe format. `pickle_helps` where pickle could write it."""

    def __init__(self, reason: str, *, pickle_helps: bool = True) -> None:
        super().__init__(reason)
        self.pickle_helps = pickle_helps


class LibraryMissing(Exception):
    """What reads an encoding is not in the step's environment."""


@dataclass(frozen=True, slots=True)
class Written:
    """Small facts for people about what was written; `preview` shows more of it, and may cost something.

    `encoding` where it is not the codec's only one.
    """

    summary: dict[str, Any] = field(default_factory=dict)
    filename: str = ""
    preview: Callable[[], dict[str, Any]] | None = None
    encoding: str = ""


class Codec(Protocol):
    @property
    def encoding(self) -> str: ...

    @property
    def type(self) -> str: ...

    def takes(self, value: object) -> bool:
        """Is it this codec's to write? Imports nothing: no library, no value of it."""
        ...

    def write(self, value: Any, target: Path) -> Written:
        """Raises NotStorable."""
        ...

    def read(self, path: Path, filename: str) -> object:
        """Raises LibraryMissing, or whatever the library raises for bytes that it does not understand."""
        ...


def type_name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def is_a(value: object, library: str, *names: str) -> bool:
    """Is the value of a class (or a subclass) of these names, made by `library`? Imports nothing."""
    return any(
        kind.__name__ in names and kind.__module__.partition(".")[0] == library
        for kind in type(value).__mro__
    )


def writer(module: str, package: str, what: str) -> Any:
    """The module that writes `what`. Raises NotStorable where its package is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        message = f"{what} need the package {package} among the workflow's requirements"
        raise NotStorable(message) from error


def reader(module: str, package: str) -> Any:
    """The module that reads. Raises LibraryMissing where its package is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        message = f"it needs the package {package} among the workflow's requirements"
        raise LibraryMissing(message) from error
