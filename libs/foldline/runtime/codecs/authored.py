"""Codecs of authors: `fl.register_codec` in the workflow's module, for a class that no other codec takes.

    fl.register_codec("graph", Graph, write=lambda graph, path: graph.save(path), read=Graph.load)

`write` is given a path at which it makes a file or a folder, `read` the path of a copy of that. The encoding
of the artifact holds the codec's name, and that name alone finds the reader: in another workflow's step it is
the codec that *its* module registered under the name, or an error that says which one is missing. The class
is never looked up by what the data say.

Standard library alone: the process of every step imports the author's file, and with it this module.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from foldline.runtime.codecs import folders, previews
from foldline.runtime.codecs.port import LibraryMissing, NotStorable, Written, type_name

T = TypeVar("T")

PREFIX = "author:"
FOLDER = "+folder"
"""How the encoding of a codec's folders ends."""

TYPES = ("file", "array", "table", "model", "image")
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_NAME = 40


class AuthoredCodec:
    def __init__(
        self,
        name: str,
        kind: type,
        type_: str,
        write: Callable[[Any, Path], object],
        read: Callable[[Path], object],
        preview: Callable[[Any], dict[str, Any]] | None,
    ) -> None:
        self.name, self.kind, self.type = name, kind, type_
        self.encoding = PREFIX + name
        self._write, self._read, self._preview = write, read, preview

    def takes(self, value: object) -> bool:
        return isinstance(value, self.kind)

    def write(self, value: Any, target: Path) -> Written:
        encoding = self.encoding
        made = target.with_name(f"{target.name}.authored")
        self._write(value, made)
        if made.is_dir():
            encoding += FOLDER
            try:
                folders.pack(made, target)
            except ValueError as error:
                raise NotStorable(f"what the codec {self.name} wrote has no place in it: {error}") from error
            shutil.rmtree(made)
        elif made.is_file():
            made.rename(target)
        else:
            raise NotStorable(f"its codec {self.name} wrote nothing to the path that it was given")
        facts = {"class": type_name(value)}
        suffix = self.name if encoding == self.encoding else "tar"
        return Written(facts, f"{target.name}.{suffix}", lambda: self._seen(value), encoding)

    def read(self, path: Path, filename: str) -> object:
        """A copy, which is the reader's to change."""
        copy = Path(tempfile.mkdtemp(prefix="input-", dir=Path.cwd())) / (Path(filename).name or self.name)
        shutil.copyfile(path, copy)
        return self._read(copy)

    def read_folder(self, path: Path) -> object:
        copy = Path(tempfile.mkdtemp(prefix="input-", dir=Path.cwd())) / self.name
        folders.unpack(path, copy)
        return self._read(copy)

    def _seen(self, value: Any) -> dict[str, Any]:
        shown = self._preview(value) if self._preview is not None else {}
        return {"kind": "authored", "codec": self.name, "class": type_name(value), **previews.named(shown)}


_registered: dict[str, AuthoredCodec] = {}


def register_codec(
    name: str,
    kind: type[T],
    *,
    write: Callable[[T, Path], object],
    read: Callable[[Path], T],
    type: str = "file",  # noqa: A002 - the same word as everywhere
    preview: Callable[[T], dict[str, Any]] | None = None,
) -> None:
    """Store values of `kind` with `write`, under the encoding `author:NAME`, and read them with `read`.

    `preview` gives a few facts to show. Call this at the top of the workflow's module.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise ValueError(f"{name!r} is no name of a codec; one is lower-case words with dashes between")
    if type not in TYPES:
        raise ValueError(f"codec {name}: type is one of {', '.join(TYPES)}, not {type!r}")
    if not isinstance(kind, _type):
        raise TypeError(f"codec {name}: {kind!r} is no class")
    known = _registered.get(name)
    # A module that is imported again brings its classes again.
    if known is not None and _called(known.kind) != _called(kind):
        raise ValueError(f"codec {name} is registered for {_called(known.kind)} already")
    _registered[name] = AuthoredCodec(name, kind, type, write, read, preview)


def has_codec(kind: type) -> bool:
    """Is there a codec for values of this class?"""
    return any(issubclass(kind, codec.kind) for codec in _registered.values())


def has_any() -> bool:
    return bool(_registered)


def taking(value: object) -> AuthoredCodec | None:
    """The codec for a value; of several the newest."""
    return next((codec for codec in reversed(_registered.values()) if codec.takes(value)), None)


def read(encoding: str, path: Path, filename: str) -> object:
    """Raises LibraryMissing where this module knows no codec of that name."""
    name = encoding.removeprefix(PREFIX).removesuffix(FOLDER)
    codec = _registered.get(name)
    if codec is None:
        known = f"; it registers {', '.join(sorted(_registered))}" if _registered else ""
        message = (
            f"it was written with the codec {name!r}, which this step's module does not register "
            f"(fl.register_codec){known}"
        )
        raise LibraryMissing(message)
    return codec.read_folder(path) if encoding.endswith(FOLDER) else codec.read(path, filename)


_type = type


def _called(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
