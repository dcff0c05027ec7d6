"""Plain files: a step returns a pathlib.Path, the next one gets the path of a copy of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from foldline.runtime.codecs import previews
from foldline.runtime.codecs.port import NotStorable, Written


class FileCodec:
    encoding = "file"
    type = "file"

    def takes(self, value: object) -> bool:
        return isinstance(value, os.PathLike)

    def write(self, value: Any, target: Path) -> Written:
        path = Path(os.fspath(value))
        if not path.is_file():
            raise NotStorable(f"there is no file {path}", pickle_helps=False)
        shutil.copyfile(path, target)
        size = target.stat().st_size
        return Written(
            {"bytes": size},
            path.name,
            lambda: {"kind": "file", "name": path.name, "bytes": size, "text": _beginning(target)},
        )

    def read(self, path: Path, filename: str) -> object:
        """A copy, under its own name: the artifact is everyone's, and libraries look at suffixes."""
        copy = Path(tempfile.mkdtemp(prefix="input-", dir=Path.cwd())) / (Path(filename).name or path.name)
        shutil.copyfile(path, copy)
        return copy


def _beginning(path: Path) -> str:
    """The first characters of a text; nothing of what is none."""
    with path.open("rb") as file:
        content = file.read(previews.LONGEST_TEXT)
    try:
        # The last character may be cut in the middle.
        text = content.decode("utf-8", errors="strict" if len(content) < previews.LONGEST_TEXT else "ignore")
    except UnicodeDecodeError:
        return ""
    return "" if "\0" in text else text
