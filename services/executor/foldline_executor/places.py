"""What attempts need on this machine before they start: environment, code, inputs. Each is fetched once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from foldline import environments
from foldline.artifacts.port import ArtifactStore
from foldline.chassis import observe
from foldline.domain.spec import Environment
from foldline_executor import bundles, shelf
from foldline_executor.home import Home

TRIM_AFTER_BYTES = 256 * 1024**2
"""Looking through all fetched files for every one of a list's thousands would take longer than fetching."""

_BARE = Environment(python=f"{sys.version_info.major}.{sys.version_info.minor}")


class Places:
    """Everything is named by its digest, so what is there stays right for ever."""

    def __init__(self, store: ArtifactStore, home: Home) -> None:
        self._store = store
        self._home = home
        self._pythons: dict[str, Path] = {}
        self._under_way: dict[Path | str, asyncio.Task[Path]] = {}
        self._fetched = TRIM_AFTER_BYTES

    async def python(self, digest: str) -> Path:
        """The interpreter of an environment; "" is the bare one of no packages."""
        known = self._pythons.get(digest)
        if known is None or not known.exists():
            known = self._pythons[digest] = await self._once(digest, lambda: self._build(digest))
        return known

    async def bundle(self, digest: str) -> Path:
        """The folder of an unpacked code bundle."""
        folder = self._home.bundles / _name(digest)
        return folder if folder.is_dir() else await self._once(folder, lambda: self._unpack(digest, folder))

    async def artifact(self, digest: str) -> Path:
        """A file with the content of an artifact; not to be written."""
        local = self._store.local_path(digest)
        if local is not None:
            return local
        path = self._home.artifacts / _name(digest)
        if not path.is_file():
            return await self._once(path, lambda: self._fetch(digest, path))
        shelf.touch(path)
        return path

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _build(self, digest: str) -> Path:
        environment = _BARE
        if digest:
            environment = msgspec.json.decode(await self._store.read(digest), type=Environment)
        with observe.span("executor.build_environment", digest=digest):
            return await environments.build(environment, self._home.environments)

    async def _unpack(self, digest: str, folder: Path) -> Path:
        archive = await self._store.read(digest)
        await asyncio.to_thread(bundles.unpack, archive, folder)
        return folder

    async def _fetch(self, digest: str, path: Path) -> Path:
        if self._fetched >= TRIM_AFTER_BYTES:
            self._fetched = 0
            await asyncio.to_thread(shelf.trim, self._home.artifacts)
        await self._store.fetch(digest, path)
        self._fetched += (await asyncio.to_thread(path.stat)).st_size
        return path

    async def _once(self, key: Path | str, work: Callable[[], Awaitable[Path]]) -> Path:
        """Whoever needs the same thing meanwhile waits for it; one who gives up does not end it."""

        async def do() -> Path:
            try:
                return await work()
            finally:
                del self._under_way[key]

        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(do(), name=f"fetch {key}")
            task.add_done_callback(_look_at)
        return await asyncio.shield(task)


def _look_at(task: asyncio.Task[Path]) -> None:
    """Everyone who waited may have given up; the error is nobody's then."""
    if not task.cancelled():
        task.exception()


def _name(digest: str) -> str:
    return digest.removeprefix("sha256:")
