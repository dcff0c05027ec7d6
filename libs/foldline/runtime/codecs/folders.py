"""Folders as one plain tar: the same files give the same bytes, and unpacking can do nothing but make them.

Packed are files and folders, in order of their names, without owners and times. A link is packed as the file
that it leads to, if that lies inside. Unpacked are files and folders alone: an archive with anything else in
it, with a way out of its folder, or that would grow when it is unpacked, is refused as a whole.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from foldline.runtime.codecs.port import NotStorable, Written

MOST_ENTRIES = 1_000_000
_SHOWN = 200


class FolderCodec:
    encoding = "folder"
    type = "file"

    def takes(self, value: object) -> bool:
        return isinstance(value, os.PathLike) and Path(os.fspath(value)).is_dir()

    def write(self, value: Any, target: Path) -> Written:
        folder = Path(os.fspath(value)).resolve()
        try:
            entries = pack(folder, target)
        except (ValueError, tarfile.TarError) as error:
            raise NotStorable(str(error), pickle_helps=False) from error
        files = [(path, size) for path, size in entries if size is not None]
        facts = {"files": len(files), "bytes": sum(size for _, size in files)}
        tree = [
            {"path": f"{path}/"} if size is None else {"path": path, "bytes": size}
            for path, size in entries[:_SHOWN]
        ]
        return Written(facts, f"{folder.name}.tar", lambda: {"kind": "folder", **facts, "tree": tree})

    def read(self, path: Path, filename: str) -> object:
        name = Path(filename.removesuffix(".tar")).name or "folder"
        folder = Path(tempfile.mkdtemp(prefix="input-", dir=Path.cwd())) / name
        unpack(path, folder)
        return folder


def pack(folder: Path, target: Path) -> list[tuple[str, int | None]]:
    """Write the archive; paths in it with their sizes (None: a folder). ValueError for what has no place."""
    entries: list[tuple[str, int | None]] = []
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in _walk(folder, folder):
            name = path.relative_to(folder).as_posix()
            if len(entries) >= MOST_ENTRIES:
                raise ValueError(f"a folder has at most {MOST_ENTRIES} entries")
            info = tarfile.TarInfo(name)
            if path.is_dir():
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(info)
                entries.append((name, None))
                continue
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                info.size = status.st_size
                info.mode = 0o755 if status.st_mode & 0o100 else 0o644
                archive.addfile(info, file)
            entries.append((name, info.size))
    return entries


def _walk(folder: Path, root: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir(), key=lambda one: one.name):
        name = path.relative_to(root)
        if path.is_symlink():
            to = path.resolve()
            if not to.is_relative_to(root):
                raise ValueError(f"{name} is a link that leads out of the folder")
            if not to.is_file():
                raise ValueError(f"{name} is a link to no file; links to folders are not followed")
            yield path
        elif path.is_dir():
            yield path
            yield from _walk(path, root)
        elif path.is_file():
            yield path
        else:
            raise ValueError(f"{name} is neither a file nor a folder")


def unpack(path: Path, folder: Path) -> None:
    """Make the folder, whole or not at all. ValueError for an archive that is not one of ours."""
    try:
        with tarfile.open(path, "r:") as archive:
            folder.mkdir(parents=True)
            _extract(archive, folder, most_bytes=path.stat().st_size)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _extract(archive: tarfile.TarFile, folder: Path, *, most_bytes: int) -> None:
    seen: set[PurePosixPath] = set()
    total = 0
    for member in archive:
        name = _checked(member)
        if name in seen:
            raise ValueError(f"{name} is in it twice")
        seen.add(name)
        total += member.size
        if total > most_bytes or len(seen) > MOST_ENTRIES:
            raise ValueError("it would be larger unpacked than it is")
        target = folder / name
        if member.isdir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        content = archive.extractfile(member)
        assert content is not None, "a regular file"
        target.parent.mkdir(parents=True, exist_ok=True)
        with content, target.open("xb") as file:
            shutil.copyfileobj(content, file)
        target.chmod(0o755 if member.mode & 0o100 else 0o644)


def _checked(member: tarfile.TarInfo) -> PurePosixPath:
    name = PurePosixPath(member.name)
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE) or member.issparse():
        raise ValueError(f"{name} in it is neither a file nor a folder")
    if name.is_absolute() or not name.parts or ".." in name.parts or "\0" in member.name:
        raise ValueError(f"{member.name!r} in it leads out of the folder")
    return name
