"""What attempts need on this machine before they start: environment, code, inputs. Each is fetched once.

    async with places.stay(attempt_log.note) as stay:
        python = await stay.python(work.environment)

What an attempt got stays until its stay ends; after that it may go, the longest unused first, when there is
more than the settings allow.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from foldline.artifacts.port import ArtifactStore
from foldline.chassis import observe
from foldline.domain.spec import Environment
from foldline.environments import Environments, Tell
from foldline_executor import bundles
from foldline_executor.home import Home
from foldline_executor.once import Once
from foldline_executor.shelf import Shelf

TRIM_AFTER_BYTES = 256 * 1024**2
"""Looking through all fetched files for every one of a list's thousands would take longer than fetching."""

RESTING_SECONDS = 900.0
"""A warm parent without attempts still has its environment and bundle, for 600 seconds."""

DECLARED = 200
"""Texts of locks that are remembered."""

_BARE = Environment(python=f"{sys.version_info.major}.{sys.version_info.minor}")


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How much of what nobody uses is kept for the next one."""

    environments: int = 30
    bundles: int = 200
    artifact_bytes: int = 20 * 1024**3


class Places:
    """Everything is named by its digest, so what is there stays right for ever."""

    def __init__(
        self,
        store: ArtifactStore,
        home: Home,
        *,
        bounds: Bounds | None = None,
        pythons: tuple[Path, ...] = (),
    ) -> None:
        self._store = store
        self._bounds = bounds or Bounds()
        self._environments = Environments(home.environments, pythons=pythons, keep=self._bounds.environments)
        self._declared = {"": _BARE}
        self._bundles = Shelf(home.bundles)
        self._artifacts = Shelf(home.artifacts)
        self._once = Once()
        self._fetched = TRIM_AFTER_BYTES

    @asynccontextmanager
    async def stay(self, tell: Tell) -> AsyncIterator[Stay]:
        """For one attempt; `tell` takes lines for people about what takes its time."""
        async with AsyncExitStack() as held:
            yield Stay(self, held, tell)

    async def collect(self) -> None:
        """Bring everything under its bounds."""
        await self._trim_environments()
        await self._trim_bundles()
        await self._trim_artifacts()

    def clear(self) -> None:
        """Remove all fetched inputs that no attempt holds, for want of room. Blocks: call it in a thread."""
        self._artifacts.trim_bytes(0)

    async def close(self) -> None:
        """End what is under way."""
        await self._once.close()

    async def python(self, digest: str, held: AsyncExitStack, tell: Tell) -> Path:
        """This and the next two are for a stay; `held` is what it gives back."""
        if digest not in self._declared:
            declared = await self._store.read(digest)
            if len(self._declared) >= DECLARED:
                self._declared = {"": _BARE}
            self._declared[digest] = msgspec.json.decode(declared, type=Environment)
        environment = self._declared[digest]
        if not await self._environments.is_there(environment):
            await self._once.do(digest, tell, lambda tell_all: self._build(environment, digest, tell_all))
        return await held.enter_async_context(self._environments.use(environment, tell))

    async def _build(self, environment: Environment, digest: str, tell: Tell) -> None:
        with observe.span("executor.build_environment", digest=digest):
            async with self._environments.use(environment, tell):
                await self._trim_environments()

    async def bundle(self, digest: str, held: AsyncExitStack, tell: Tell) -> Path:
        folder = _take(self._bundles, digest, held)
        if not folder.is_dir():
            await self._once.do(f"bundle {digest}", tell, lambda _: self._unpack(digest, folder))
        return folder

    async def _unpack(self, digest: str, folder: Path) -> None:
        archive = await self._store.read(digest)
        await asyncio.to_thread(bundles.unpack, archive, folder)
        await self._trim_bundles()

    async def artifact(self, digest: str, held: AsyncExitStack, tell: Tell) -> Path:
        local = self._store.local_path(digest)
        if local is not None:
            return local
        path = _take(self._artifacts, digest, held)
        if not path.is_file():
            await self._once.do(f"artifact {digest}", tell, lambda _: self._fetch(digest, path))
        return path

    async def _fetch(self, digest: str, path: Path) -> None:
        if self._fetched >= TRIM_AFTER_BYTES:
            self._fetched = 0
            await self._trim_artifacts()
        await self._store.fetch(digest, path)
        self._fetched += (await asyncio.to_thread(path.stat)).st_size

    async def _trim_environments(self) -> None:
        await asyncio.to_thread(self._environments.collect, resting_seconds=RESTING_SECONDS)

    async def _trim_bundles(self) -> None:
        await asyncio.to_thread(self._bundles.trim_count, self._bounds.bundles, RESTING_SECONDS)

    async def _trim_artifacts(self) -> None:
        await asyncio.to_thread(self._artifacts.trim_bytes, self._bounds.artifact_bytes)


class Stay:
    """What one attempt has of this machine. None of it is to be written."""

    def __init__(self, places: Places, held: AsyncExitStack, tell: Tell) -> None:
        self._places = places
        self._held = held
        self._tell = tell

    async def python(self, digest: str) -> Path:
        """The interpreter of an environment; "" is the bare one of no packages."""
        return await self._places.python(digest, self._held, self._tell)

    async def bundle(self, digest: str) -> Path:
        """The folder of an unpacked code bundle."""
        return await self._places.bundle(digest, self._held, self._tell)

    async def artifact(self, digest: str) -> Path:
        """A file with the content of an artifact."""
        return await self._places.artifact(digest, self._held, self._tell)


def _take(shelf: Shelf, digest: str, held: AsyncExitStack) -> Path:
    name = digest.removeprefix("sha256:")
    path = shelf.take(name)
    held.callback(shelf.give_back, name)
    return path
