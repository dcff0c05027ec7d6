"""Plain files: a step returns a pathlib.Path, the next one gets the path of a copy of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from foldline.runtime.codecs.port import NotStorable, Written


class FileCodec:
    encoding = "file"
    type = "file"

    def takes(self, value: object) -> bool:
        return isinstance(value, os.PathLike)

    def write(self, value: Any, target: Path) -> Written:
        path = Path(os.fspath(value))
        if path.is_dir():
            raise NotStorable(f"{path} is a folder; pack it into one file", pickle_helps=False)
        if not path.is_file():
            raise NotStorable(f"there is no file {path}", pickle_helps=False)
        shutil.copyfile(path, target)
        return Written({"bytes": target.stat().st_size}, path.name)

    def read(self, path: Path, filename: str) -> object:
        """A copy, under its own name: the artifact is everyone's, and libraries look at suffixes."""
        copy = Path(tempfile.mkdtemp(prefix="input-", dir=Path.cwd())) / (Path(filename).name or path.name)
        shutil.copyfile(path, copy)
        return copy
