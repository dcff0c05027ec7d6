"""The artifact store in an object store: S3 and what speaks like it, Google's, Azure's, memory for tests.

An object store shows an object when all of it has arrived, so nothing half-written is ever seen. Artifacts
are created only if absent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import TypeVar

import obstore
from obstore import exceptions
from obstore.store import ObjectStore

from foldline.artifacts import digests
from foldline.artifacts.port import ArtifactMissingError, StoreUnavailableError, checked, key_of

T = TypeVar("T")

_PIECE_BYTES = 1024 * 1024


class RemoteStore:
    """Keys are relative to the prefix that the store was opened with."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put_bytes(self, content: bytes) -> str:
        digest = digests.of_bytes(content)
        await self._create(digest, content)
        return digest

    async def put_file(self, path: Path, *, take: bool = False) -> tuple[str, int]:
        del take
        digest = await asyncio.to_thread(digests.of_file, path)
        size = (await asyncio.to_thread(path.stat)).st_size
        await self._create(digest, path)
        return digest, size

    async def read(self, digest: str) -> bytes:
        content = await self.read_object(key_of(digest))
        digests.verify(digest, digests.of_bytes(content))
        return content

    async def fetch(self, digest: str, path: Path) -> None:
        partial = path.with_name(f"{path.name}.partial")
        file = await asyncio.to_thread(partial.open, "wb")
        try:
            with file:
                async for piece in self.stream(digest):
                    await asyncio.to_thread(file.write, piece)
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)

    async def stream(self, digest: str) -> AsyncIterator[bytes]:
        async for piece in digests.verified(digest, self._pieces(digest)):
            yield piece

    async def exists(self, digest: str) -> bool:
        try:
            await self._call(digest, obstore.head_async(self._store, key_of(digest)))
        except ArtifactMissingError:
            return False
        return True

    def local_path(self, digest: str) -> Path | None:
        del digest
        return None

    async def write_object(self, key: str, content: bytes) -> None:
        await self._call(key, obstore.put_async(self._store, checked(key), content))

    async def read_object(self, key: str) -> bytes:
        answer = await self._call(key, obstore.get_async(self._store, checked(key)))
        return bytes(await self._call(key, answer.bytes_async()))

    async def list_objects(self, prefix: str) -> list[str]:
        listing = obstore.list(self._store, prefix=checked(prefix))
        found = await self._call(prefix, listing.collect_async())
        return sorted(str(entry["path"]) for entry in found)

    async def check(self) -> None:
        await self.exists(digests.of_bytes(b""))

    async def _create(self, digest: str, content: bytes | Path) -> None:
        try:
            await self._call(digest, obstore.put_async(self._store, key_of(digest), content, mode="create"))
        except exceptions.AlreadyExistsError:
            return  # the same bytes: their name says so

    async def _pieces(self, digest: str) -> AsyncIterator[bytes]:
        answer = await self._call(digest, obstore.get_async(self._store, key_of(digest)))
        pieces = answer.stream(min_chunk_size=_PIECE_BYTES).__aiter__()
        while True:
            try:
                yield bytes(await self._call(digest, pieces.__anext__()))
            except StopAsyncIteration:
                return

    async def _call(self, key: str, request: Awaitable[T]) -> T:
        try:
            return await request
        except (FileNotFoundError, exceptions.NotFoundError) as error:
            raise ArtifactMissingError(key, f"there is no {key} in the store") from error
        except exceptions.AlreadyExistsError:
            raise
        except (exceptions.BaseError, OSError) as error:
            raise StoreUnavailableError(key, f"the object store failed: {error}") from error
