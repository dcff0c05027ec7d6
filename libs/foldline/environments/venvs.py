"""Virtual environments by digest: built once, complete or not there, never changed, removed when unused.

In the folder of them, for each: `KEY/` with a file `ready` whose time is that of its last use, `KEY.lock`
(`holds`), and while it is built or removed `KEY.tmp-…`. Any number of processes may share such a folder.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from foldline.chassis.clock import new_id
from foldline.domain import releases
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.spec import Environment
from foldline.environments import causes, holds, interpreters, uv
from foldline.environments.interpreters import Interpreter
from foldline.environments.uv import Tell, silent

BUILDER = "1"
"""Another one whenever environments are made in another way: those made before are not taken for these."""

KEPT = 30
"""Environments that are kept, unless the operator says otherwise."""

_REMEMBERED = 200
_READY = "ready"
_LOCK = "requirements.lock"
_PARTIAL = ".tmp-"


class Environments:
    """The environments in one folder."""

    def __init__(self, root: Path, *, pythons: Sequence[Path] = (), keep: int = KEPT) -> None:
        """`pythons` are interpreters that the operator lists; `keep` is how many unused ones may stay."""
        self._root = root
        self._pythons = tuple(pythons)
        self._keep = keep
        self._folders: dict[Environment, Path] = {}

    @asynccontextmanager
    async def use(self, environment: Environment, tell: Tell = silent) -> AsyncIterator[Path]:
        """Its interpreter, built first if it is not there; it stays until the end of the `async with`.

        `tell` takes the lines of a build. Raises FoldlineError: NO_SUCH_PYTHON, or what `causes` knows.
        """
        folder, hold = await self._hold(environment, tell)
        try:
            yield _python(folder)
        finally:
            _touch(folder)
            hold.release()

    async def is_there(self, environment: Environment) -> bool:
        """Built, for what can be said from outside."""
        folder, _ = await self._named(environment)
        return _is_ready(folder)

    def collect(self, *, keep: int | None = None, resting_seconds: float = 0.0) -> int:
        """Remove those longest unused, until `keep` are left; how many went.

        None that somebody uses now, here or in another process, nor one used in the last `resting_seconds`.
        """
        gone = 0
        for used, folder in self._by_use()[self._keep if keep is None else keep :]:
            if used <= time.time() - resting_seconds and _remove(folder):
                gone += 1
        return gone

    def sweep(self) -> None:
        """Remove what builds and removals left that did not come to their end."""
        for left in self._root.glob(f"*{_PARTIAL}*"):
            lock = _lock_of(left.with_name(left.name.partition(_PARTIAL)[0]))
            if (hold := holds.alone_at_once(lock)) is not None:
                with hold:
                    shutil.rmtree(left, ignore_errors=True)

    def _by_use(self) -> list[tuple[float, Path]]:
        """The newest first."""
        found = []
        for mark in self._root.glob(f"*/{_READY}"):
            with suppress(FileNotFoundError):
                if _PARTIAL not in mark.parent.name:
                    found.append((mark.stat().st_mtime, mark.parent))
        return sorted(found, reverse=True)

    async def _named(self, environment: Environment) -> tuple[Path, Interpreter | None]:
        """The folder of an environment, which depends on the interpreter that this machine has for it."""
        known = self._folders.get(environment)
        if known is not None and _is_ready(known):
            return known, None
        base = await asyncio.to_thread(interpreters.find, environment.python, self._pythons)
        folder = self._root / key(environment, base)
        if len(self._folders) >= _REMEMBERED:
            self._folders.clear()
        self._folders[environment] = folder
        return folder, base

    async def _hold(self, environment: Environment, tell: Tell) -> tuple[Path, holds.Hold]:
        async def wait() -> None:
            await tell("waiting for the environment, which somebody else builds at the moment")

        self._root.mkdir(parents=True, exist_ok=True)
        while True:
            folder, base = await self._named(environment)
            hold = await holds.shared(_lock_of(folder), wait)
            if _is_ready(folder):
                _touch(folder)
                return folder, hold
            hold.release()
            if base is None:
                continue  # it was removed since we looked
            with await holds.alone(_lock_of(folder), wait):
                if not _is_ready(folder):
                    await _build(environment, base, folder, tell)


async def build(environment: Environment, root: Path, tell: Tell = silent) -> Path:
    """The interpreter of the environment under `root`, for whoever removes none there."""
    async with Environments(root).use(environment, tell) as python:
        return python


def key(environment: Environment, base: Interpreter) -> str:
    """Two that would be the same have the same; all else has another one."""
    digest = releases.digest(releases.canonical(environment))
    text = "\n".join([BUILDER, digest, *base[2:], str(base.path)])
    return hashlib.sha256(text.encode()).hexdigest()


async def _build(environment: Environment, base: Interpreter, folder: Path, tell: Tell) -> None:
    """Alone on that folder; the lock goes with what could not be built."""
    await asyncio.to_thread(_clear, folder)
    partial = folder.with_name(f"{folder.name}{_PARTIAL}{new_id()}")
    count = sum(line[:1] not in ("", " ", "#", "\t") for line in environment.lock.splitlines())
    packages = f"{count} package{'' if count == 1 else 's'}" if count else "no packages"
    doing = "the environment of the release could not be built"
    since = time.monotonic()
    await tell(f"building the environment: Python {base.full_version}, {packages}")
    try:
        await _fill(partial, base.path, environment.lock, tell)
        (partial / _READY).touch()
        partial.rename(folder)
    except uv.UvFailed as error:
        raise causes.explained(doing, str(error), has_log=tell is not silent) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise causes.explained(doing, "No space left on device", has_log=True) from error
        raise FoldlineError(Kind.UNAVAILABLE, "ENVIRONMENT_FAILED", f"{doing}: {error}") from error
    finally:
        await asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True)
        await asyncio.to_thread(_drop_lock, folder)
    await tell(f"the environment is ready after {time.monotonic() - since:.1f} s")


async def _fill(folder: Path, base: Path, lock: str, tell: Tell) -> None:
    # It is renamed when it is whole, so nothing inside may name its own path.
    await uv.install(["venv", "--quiet", "--relocatable", "--no-project", "--python", str(base), str(folder)])
    if not lock:
        return
    (folder / _LOCK).write_text(lock, encoding="utf-8")
    sync = [
        "pip",
        "sync",
        "--require-hashes",
        "--python",
        str(folder / "bin" / "python"),
        str(folder / _LOCK),
    ]
    said: list[str] = []

    async def keep(line: str) -> None:
        said.append(line)

    try:
        # What is in the cache needs no index, which may be slow or away; uv would ask it all the same.
        await uv.install([*sync, "--offline"], keep)
    except uv.UvFailed:
        await uv.install(sync, tell)
    else:
        for line in said:
            await tell(line)


def _drop_lock(folder: Path) -> None:
    if not folder.exists():
        _lock_of(folder).unlink(missing_ok=True)


def _clear(folder: Path) -> None:
    """What a killed build left, and an environment whose interpreter is gone."""
    for left in folder.parent.glob(f"{folder.name}{_PARTIAL}*"):
        shutil.rmtree(left, ignore_errors=True)
    if folder.exists():
        _move_away(folder)


def _remove(folder: Path) -> bool:
    """Unless somebody uses it."""
    lock = _lock_of(folder)
    hold = holds.alone_at_once(lock)
    if hold is None:
        return False
    with hold:
        if folder.exists():
            _move_away(folder)
        lock.unlink(missing_ok=True)
    return True


def _move_away(folder: Path) -> None:
    """First all of it at once, then piece by piece: half an environment is never seen."""
    gone = folder.with_name(f"{folder.name}{_PARTIAL}{new_id()}")
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _is_ready(folder: Path) -> bool:
    """The interpreter that it was made from may be gone since."""
    return (folder / _READY).exists() and _python(folder).exists()


def _touch(folder: Path) -> None:
    with suppress(OSError):
        os.utime(folder / _READY)


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")
