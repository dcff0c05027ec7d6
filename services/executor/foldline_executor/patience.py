"""Writing what grows (logs, series) to a store that may be away for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from foldline.artifacts.port import ArtifactStore, StoreUnavailableError

_FIRST_PAUSE_SECONDS = 0.1

T = TypeVar("T")

log = structlog.get_logger()


class PatientWriter:
    """Tries for a while. What has a gap is worth nothing: once a piece was lost all else is refused."""

    def __init__(self, store: ArtifactStore, seconds: float) -> None:
        self.lost: StoreUnavailableError | None = None
        self._store = store
        self._seconds = seconds

    def check(self) -> None:
        """Raise StoreUnavailableError when something was lost."""
        if self.lost is not None:
            raise self.lost

    async def write(self, key: str, content: bytes) -> None:
        """Raises StoreUnavailableError when the store stays away."""
        await self._patiently(key, lambda: self._store.write_object(key, content))

    async def has_any(self, prefix: str) -> bool:
        """Is there anything below? Raises StoreUnavailableError when the store stays away."""
        return bool(await self._patiently(prefix, lambda: self._store.list_objects(prefix)))

    async def _patiently(self, key: str, work: Callable[[], Awaitable[T]]) -> T:
        self.check()
        give_up = asyncio.get_running_loop().time() + self._seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await work()
            except StoreUnavailableError as error:
                if asyncio.get_running_loop().time() + pause > give_up:
                    self.lost = error
                    raise
                log.warning("log_not_kept", key=key, error=str(error))
            await asyncio.sleep(pause)
            pause *= 2
