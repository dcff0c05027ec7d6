"""Unpacking of code bundles: nothing outside of the folder, no links, no bombs."""

from __future__ import annotations

import io
import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from foldline.chassis.clock import new_id
from foldline.domain.errors import FoldlineError, Kind

LIMIT_BYTES = 256 * 1024 * 1024
LIMIT_FILES = 10_000
_PIECE_BYTES = 1024 * 1024


def unpack(archive: bytes, target: Path) -> None:
    """Fill the new folder `target`, which appears whole or not at all. Raises INVALID BUNDLE_UNSAFE."""
    partial = target.with_name(f"{target.name}.partial-{new_id()}")
    partial.mkdir(parents=True)
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as source:
            _extract(source, partial)
        partial.rename(target)
    except zipfile.BadZipFile as error:
        raise _unsafe(f"it is no zip archive: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _extract(source: zipfile.ZipFile, folder: Path) -> None:
    entries = source.infolist()
    if len(entries) > LIMIT_FILES:
        raise _unsafe(f"it has {len(entries)} entries, more than {LIMIT_FILES}")
    room = LIMIT_BYTES
    for entry in entries:
        path = folder / _checked(entry)
        if entry.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        room -= _write(source, entry, path, room)


def _checked(entry: zipfile.ZipInfo) -> PurePosixPath:
    name = PurePosixPath(entry.filename)
    if name.is_absolute() or ".." in name.parts or "\\" in entry.filename or not name.parts:
        raise _unsafe(f"entry {entry.filename!r} leads out of it")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _unsafe(f"entry {entry.filename!r} is a link or a special file")
    return name


def _write(source: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, room: int) -> int:
    """What the header says of the size is not believed."""
    written = 0
    # "x": the same name twice would let the second replace what was looked at first.
    with source.open(entry) as content, path.open("xb") as file:
        while piece := content.read(_PIECE_BYTES):
            written += len(piece)
            if written > room:
                raise _unsafe(f"it holds more than {LIMIT_BYTES // 1024**2} MiB")
            file.write(piece)
    return written


def _unsafe(message: str) -> FoldlineError:
    return FoldlineError(Kind.INVALID, "BUNDLE_UNSAFE", f"the code bundle was refused: {message}")
