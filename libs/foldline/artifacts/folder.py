"""The artifact store in a folder of this machine.

A file is written under `partial/`, brought to the disk, then renamed to its place: readers see all of it or
nothing; what an artifact's writer was told is kept is still there after a power cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

from foldline.artifacts import digests
from foldline.artifacts.port import ArtifactMissingError, StoreUnavailableError, checked, key_of

P = ParamSpec("P")
T = TypeVar("T")

_FORGOTTEN_SECONDS = 7 * 24 * 3600
"""After so long without a change, what a killed writer left half-written is removed."""

_SMALL_BYTES = 4096
"""Writing so little, and not waiting for the disk, is quicker than asking a thread to do it."""

QUICK_SECONDS = 0.0005
"""A disk that has lately answered within this is waited for: a thread would take longer."""

_READ_ONLY = 0o444
_WRITABLE = 0o644


class FolderStore:
    """Safe for any number of processes on the same folder."""

    def __init__(self, root: Path, *, quick_seconds: float = QUICK_SECONDS) -> None:
        self._root = root
        self._quick_seconds = quick_seconds
        self._sync_seconds = 1.0  # what the disk lately took, in the mean
        self._partial = root / "partial"
        self._partial.mkdir(parents=True, exist_ok=True)
        _sweep(self._partial)

    async def put_bytes(self, content: bytes) -> str:
        digest = digests.of_bytes(content)
        target = f"{self._root}/{key_of(digest)}"
        if not os.path.isfile(target):  # noqa: ASYNC240, PTH113 - quicker: small values are there mostly
            if len(content) <= _SMALL_BYTES and self._sync_seconds < self._quick_seconds:
                with self._translated(digest):
                    self._put_bytes(Path(target), content)
            else:
                await self._call(digest, self._put_bytes, Path(target), content)
        return digest

    async def put_file(self, path: Path, *, take: bool = False) -> tuple[str, int]:
        return await self._call(str(path), self._put_file, path, take)

    async def read(self, digest: str) -> bytes:
        content = await self._call(digest, (self._root / key_of(digest)).read_bytes)
        digests.verify(digest, digests.of_bytes(content))
        return content

    async def fetch(self, digest: str, path: Path) -> None:
        await self._call(digest, self._fetch, digest, path)

    async def stream(self, digest: str) -> AsyncGenerator[bytes, None]:
        async for piece in digests.verified(digest, self._pieces(digest)):
            yield piece

    async def exists(self, digest: str) -> bool:
        return await self._call(digest, (self._root / key_of(digest)).is_file)

    def local_path(self, digest: str) -> Path | None:
        path = self._root / key_of(digest)
        return path if path.is_file() else None

    async def write_object(self, key: str, content: bytes) -> None:
        target = self._root / checked(key)
        if len(content) <= _SMALL_BYTES:
            with self._translated(key):
                self._put_object(target, content)
        else:
            await self._call(key, self._put_object, target, content)

    async def read_object(self, key: str) -> bytes:
        return await self._call(key, (self._root / checked(key)).read_bytes)

    async def list_objects(self, prefix: str) -> list[str]:
        folder = self._root / checked(prefix)
        found = await self._call(prefix, lambda: [path for path in folder.rglob("*") if path.is_file()])
        return sorted(str(path.relative_to(self._root)) for path in found)

    async def check(self) -> None:
        if not await asyncio.to_thread(os.access, self._partial, os.W_OK):
            raise StoreUnavailableError(str(self._root), f"the folder {self._root} cannot be written")

    async def _pieces(self, digest: str) -> AsyncIterator[bytes]:
        file = await self._call(digest, (self._root / key_of(digest)).open, "rb")
        with file:
            while piece := await self._call(digest, file.read, digests.PIECE_BYTES):
                yield piece

    def _put_bytes(self, target: Path, content: bytes) -> None:
        self._put(target, content, _READ_ONLY, is_durable=True)

    def _put_object(self, target: Path, content: bytes) -> None:
        # Logs come every second; a power cut may take the last of them.
        self._put(target, content, _WRITABLE, is_durable=False)

    def _put_file(self, path: Path, take: bool) -> tuple[str, int]:
        digest, size = digests.of_file(path), path.stat().st_size
        target = self._root / key_of(digest)
        if target.is_file():
            return digest, size
        with self._fresh(target) as partial:
            if not (take and _move(path, partial)):
                with partial.open("wb") as copy:
                    copy.writelines(digests.unchanged(digest, path))
        return digest, size

    def _fetch(self, digest: str, path: Path) -> None:
        partial = path.with_name(f"{path.name}.partial")
        try:
            shutil.copyfile(self._root / key_of(digest), partial)
            digests.verify(digest, digests.of_file(partial))
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)

    def _put(self, target: Path, content: bytes, mode: int, *, is_durable: bool) -> None:
        """What `_fresh` does, for what is at hand: with half of its questions to the system."""
        handle, partial = tempfile.mkstemp(dir=self._partial)
        try:
            try:
                rest = memoryview(content)
                while rest:
                    rest = rest[os.write(handle, rest) :]
                os.fchmod(handle, mode)
                if is_durable:
                    began = time.monotonic()
                    os.fdatasync(handle)
                    self._note(time.monotonic() - began)
            finally:
                os.close(handle)
            try:
                os.rename(partial, target)  # noqa: PTH104 - quicker
            except FileNotFoundError:
                target.parent.mkdir(parents=True, exist_ok=True)
                os.rename(partial, target)  # noqa: PTH104 - as above
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(partial)  # noqa: PTH108 - as above
            raise

    def _note(self, seconds: float) -> None:
        """One answer that takes long is enough to leave the next ones to threads for a while."""
        self._sync_seconds = max(seconds, self._sync_seconds + (seconds - self._sync_seconds) / 8)

    @contextlib.contextmanager
    def _fresh(self, target: Path) -> Iterator[Path]:
        """A file to write; it becomes `target` when the block ends well."""
        handle, name = tempfile.mkstemp(dir=self._partial)
        os.close(handle)
        partial = Path(name)
        try:
            yield partial
            partial.chmod(_READ_ONLY)
            with partial.open("rb") as file:
                os.fdatasync(file.fileno())
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.rename(target)
        finally:
            partial.unlink(missing_ok=True)

    async def _call(self, key: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """In a thread, with the operating system's errors in the store's words."""
        with self._translated(key):
            return await asyncio.to_thread(function, *args, **kwargs)

    @contextlib.contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise ArtifactMissingError(key, f"there is no {key} in {self._root}") from error
        except OSError as error:
            raise StoreUnavailableError(key, f"the store in {self._root} failed: {error}") from error


def _move(path: Path, target: Path) -> bool:
    """Rename, where both are on one file system."""
    try:
        path.rename(target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return False
        raise
    return True


def _sweep(partial: Path) -> None:
    horizon = time.time() - _FORGOTTEN_SECONDS
    for path in partial.iterdir():
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < horizon:
                path.unlink()
