"""The code bundle of a release: the Python files and small data beside the author's file, as a zip archive.

The same content gives the same bytes on every machine: names in order, one fixed time, no compression (its
result depends on the library's version). What is left out: hidden files, caches, virtual environments,
whatever `.foldlineignore` names (one pattern of file names or paths a line, `#` for comments).
"""

from __future__ import annotations

import fnmatch
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

from foldline.domain.errors import FoldlineError, Kind

FILE_LIMIT_BYTES = 1024 * 1024
TOTAL_LIMIT_BYTES = 15 * 1024 * 1024
FILES_LIMIT = 2000
IGNORE_FILE = ".foldlineignore"

_LEFT_OUT = ("__pycache__", "*.pyc", "*.pyo", "node_modules", "*.egg-info")
_TIME = (1980, 1, 1, 0, 0, 0)


class BundleError(FoldlineError):
    """The folder does not fit into a bundle."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(Kind.INVALID, reason, message)


def build(root: Path) -> bytes:
    """The archive of `root`. Raises BundleError naming the file or the limit."""
    archive = io.BytesIO()
    total = 0
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:
        for count, path in enumerate(files(root), start=1):
            if count > FILES_LIMIT:
                message = (
                    f"{root} holds more than {FILES_LIMIT} files; put the workflow into a folder of its own"
                )
                raise BundleError("BUNDLE_TOO_MANY_FILES", message)
            content = _read(path, root)
            total += len(content)
            if total > TOTAL_LIMIT_BYTES:
                raise BundleError(
                    "BUNDLE_TOO_LARGE",
                    f"{root} holds more than {TOTAL_LIMIT_BYTES // 1024**2} MiB; name what steps do not need "
                    f"in {IGNORE_FILE}, and pass data as artifacts",
                )
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix(), _TIME)
            entry.create_system = 3  # Unix on every machine
            entry.external_attr = 0o644 << 16
            target.writestr(entry, content)
    return archive.getvalue()


def files(root: Path) -> Iterator[Path]:
    """What belongs into the bundle, in order of the names."""
    ignored = (*_LEFT_OUT, *_patterns(root / IGNORE_FILE))
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if _is_wanted(here / name, root, ignored))
        yield from (here / name for name in sorted(names) if _is_wanted(here / name, root, ignored))


def _is_wanted(path: Path, root: Path, ignored: tuple[str, ...]) -> bool:
    if path.name.startswith(".") or (path / "pyvenv.cfg").is_file():
        return False
    # Sockets and pipes cannot be read to an end.
    if not path.is_dir() and not path.is_file():
        return False
    relative = path.relative_to(root).as_posix()
    return not any(
        fnmatch.fnmatchcase(path.name, one) or fnmatch.fnmatchcase(relative, one) for one in ignored
    )


def _patterns(file: Path) -> list[str]:
    if not file.is_file():
        return []
    lines = (line.strip().rstrip("/") for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _read(path: Path, root: Path) -> bytes:
    relative = path.relative_to(root)
    size = path.stat().st_size
    if size > FILE_LIMIT_BYTES:
        message = (
            f"{relative} has {size} bytes, more than the {FILE_LIMIT_BYTES // 1024} KiB that a file of a "
            f"bundle may have; name it in {IGNORE_FILE} and let a step fetch it"
        )
        raise BundleError("BUNDLE_FILE_TOO_LARGE", message)
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError("BUNDLE_FILE_UNREADABLE", f"{relative} cannot be read: {error.strerror}") from error
