"""What attempts need on this machine before they start: environment, code, inputs. Each is fetched once.

    with places.stay(attempt_log.note) as stay:
        python = await stay.python(work.environment)

What an attempt got stays until its stay ends; after that it may go, the longest unused first, when there is
more than the settings allow.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Self

import msgspec

from foldline.artifacts.port import ArtifactStore
from foldline.chassis import observe
from foldline.domain.spec import Environment
from foldline.environments import Environments, Tell
from foldline_executor import bundles
from foldline_executor.home import Home
from foldline_executor.once import Once
from foldline_executor.shelf import Shelf, Sight

TRIM_AFTER_BYTES = 256 * 1024**2
"""Looking through all fetched files for every one of a list's thousands would take longer than fetching."""

RESTING_SECONDS = 900.0
"""A warm parent without attempts still has its environment and bundle, for 600 seconds."""

DECLARED = 200
"""Texts of locks that are remembered."""

_BARE = Environment(python=f"{sys.version_info.major}.{sys.version_info.minor}")


Held = list[Callable[[], None]]
"""How what an attempt has is given back."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How much of what nobody uses is kept for the next one."""

    environments: int = 30
    bundles: int = 200
    artifact_bytes: int = 20 * 1024**3


class _Kept:
    """An environment that stays while attempts use it, and for a while after that."""

    def __init__(self, python: Path, hold: AsyncExitStack) -> None:
        self.python = python
        self.users = 0
        self.used = time.monotonic()
        self._hold = hold
        self._is_over = False
        self._closing: asyncio.Task[None] | None = None
        self._sight = Sight(python)

    @property
    def is_whole(self) -> bool:
        """Nobody has removed it by hand."""
        return self._sight.is_there()

    def take(self) -> None:
        self.users += 1

    def give_back(self) -> None:
        self.users -= 1
        self.used = time.monotonic()
        if self._is_over and not self.users:
            self._closing = asyncio.create_task(self._hold.aclose(), name="environment let go")

    async def let_go(self) -> None:
        """Once nobody uses it any more."""
        self._is_over = True
        if not self.users:
            await self._hold.aclose()


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
        self._kept: dict[str, _Kept] = {}
        self._bundles = Shelf(home.bundles)
        self._artifacts = Shelf(home.artifacts)
        self._once = Once()
        self._fetched = TRIM_AFTER_BYTES

    def stay(self, tell: Tell) -> Stay:
        """For one attempt; `tell` takes lines for people about what takes its time."""
        return Stay(self, tell)

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
        for kept in self._kept.values():
            await kept.let_go()

    async def python(self, digest: str, held: Held, tell: Tell) -> Path:
        """This and the next two are for a stay; `held` is what it gives back."""
        kept = self._kept.get(digest)
        if kept is None or not kept.is_whole:
            kept = await self._keep(digest, tell)
        kept.take()
        held.append(kept.give_back)
        return kept.python

    async def _keep(self, digest: str, tell: Tell) -> _Kept:
        """Built if it has to be, and held from now on, so that the next attempts need not ask for it."""
        if digest not in self._declared:
            declared = await self._store.read(digest)
            if len(self._declared) >= DECLARED:
                self._declared = {"": _BARE}
            self._declared[digest] = msgspec.json.decode(declared, type=Environment)
        environment = self._declared[digest]
        if not await self._environments.is_there(environment):
            await self._once.do(digest, tell, lambda tell_all: self._build(environment, digest, tell_all))
        hold = AsyncExitStack()
        kept = _Kept(await hold.enter_async_context(self._environments.use(environment, tell)), hold)
        before, self._kept[digest] = self._kept.get(digest), kept
        if before is not None:
            await before.let_go()
        return kept

    async def _build(self, environment: Environment, digest: str, tell: Tell) -> None:
        with observe.span("executor.build_environment", digest=digest):
            async with self._environments.use(environment, tell):
                await self._trim_environments()

    async def bundle(self, digest: str, held: Held, tell: Tell) -> Path:
        folder = _take(self._bundles, digest, held)
        if not self._bundles.is_there(_name(digest)):
            await self._once.do(f"bundle {digest}", tell, lambda _: self._unpack(digest, folder))
        return folder

    async def _unpack(self, digest: str, folder: Path) -> None:
        archive = await self._store.read(digest)
        await asyncio.to_thread(bundles.unpack, archive, folder)
        await self._trim_bundles()

    async def artifact(self, digest: str, held: Held, tell: Tell) -> Path:
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
        for digest, kept in list(self._kept.items()):
            if not kept.users and time.monotonic() - kept.used > RESTING_SECONDS:
                del self._kept[digest]
                await kept.let_go()
        await asyncio.to_thread(self._environments.collect, resting_seconds=RESTING_SECONDS)

    async def _trim_bundles(self) -> None:
        await asyncio.to_thread(self._bundles.trim_count, self._bounds.bundles, RESTING_SECONDS)

    async def _trim_artifacts(self) -> None:
        await asyncio.to_thread(self._artifacts.trim_bytes, self._bounds.artifact_bytes)


class Stay:
    """What one attempt has of this machine, until the block ends. None of it is to be written."""

    def __init__(self, places: Places, tell: Tell) -> None:
        self._places = places
        self._held: Held = []
        self._tell = tell

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for give_back in reversed(self._held):
            give_back()

    async def python(self, digest: str) -> Path:
        """The interpreter of an environment; "" is the bare one of no packages."""
        return await self._places.python(digest, self._held, self._tell)

    async def bundle(self, digest: str) -> Path:
        """The folder of an unpacked code bundle."""
        return await self._places.bundle(digest, self._held, self._tell)

    async def artifact(self, digest: str) -> Path:
        """A file with the content of an artifact."""
        return await self._places.artifact(digest, self._held, self._tell)


def _take(shelf: Shelf, digest: str, held: Held) -> Path:
    name = _name(digest)
    path = shelf.take(name)
    held.append(partial(shelf.give_back, name))
    return path


def _name(digest: str) -> str:
    return digest.removeprefix("sha256:")
