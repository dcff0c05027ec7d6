"""The artifact store in an object store: S3 and what speaks like it, Google's, Azure's, memory for tests.

An object store shows an object when all of it has arrived, so nothing half-written is ever seen. Artifacts
are created only if absent. Small ones in one conditional request; large ones in parts, which stores do not do
conditionally: two writers at the same moment may both finish, each with the bytes that the digest names.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from pathlib import Path
from typing import TypeVar

import obstore
from obstore import exceptions
from obstore.store import ObjectStore

from foldline.artifacts import digests
from foldline.artifacts.port import ArtifactMissingError, StoreUnavailableError, checked, key_of

T = TypeVar("T")

_WHOLE_BYTES = 8 * 1024 * 1024
"""Up to this size in one request."""

_PART_BYTES = 8 * 1024 * 1024
_MOST_PARTS = 9000
"""S3 takes 10,000."""

_PARTS_AT_ONCE = 4


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
        size = (await self._call(str(path), asyncio.to_thread(path.stat))).st_size
        if size <= _WHOLE_BYTES:
            content = await self._call(str(path), asyncio.to_thread(path.read_bytes))
            return await self.put_bytes(content), len(content)
        digest = await self._call(str(path), asyncio.to_thread(digests.of_file, path))
        if not await self.exists(digest):
            await self._create_in_parts(digest, path, size)
        return digest, size

    async def read(self, digest: str) -> bytes:
        content = await self._read(digest, key_of(digest))
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

    async def stream(self, digest: str) -> AsyncGenerator[bytes, None]:
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
        return await self._read(key, checked(key))

    async def list_objects(self, prefix: str) -> list[str]:
        listing = obstore.list(self._store, prefix=checked(prefix))
        found = await self._call(prefix, listing.collect_async())
        return sorted(str(entry["path"]) for entry in found)

    async def check(self) -> None:
        await self.exists(digests.of_bytes(b""))

    async def _read(self, name: str, key: str) -> bytes:
        answer = await self._call(name, obstore.get_async(self._store, key))
        return bytes(await self._call(name, answer.bytes_async()))

    async def _create_in_parts(self, digest: str, path: Path, size: int) -> None:
        """All parts are there, or there is nothing: an upload that is not completed is not seen."""
        upload = obstore.put_async(
            self._store,
            key_of(digest),
            _read_in_threads(digests.unchanged(digest, path)),
            use_multipart=True,
            chunk_size=max(_PART_BYTES, size // _MOST_PARTS),
            max_concurrency=_PARTS_AT_ONCE,
        )
        await self._call(digest, upload)

    async def _create(self, digest: str, content: bytes) -> None:
        try:
            await self._call(digest, obstore.put_async(self._store, key_of(digest), content, mode="create"))
        except exceptions.AlreadyExistsError:
            return  # the same bytes: their name says so

    async def _pieces(self, digest: str) -> AsyncIterator[bytes]:
        answer = await self._call(digest, obstore.get_async(self._store, key_of(digest)))
        pieces = answer.stream(min_chunk_size=digests.PIECE_BYTES).__aiter__()
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
            raise StoreUnavailableError(key, f"the object store failed: {_words(error)}") from error


async def _read_in_threads(content: Iterator[bytes]) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(next, content, b""):
        yield piece


def _words(error: Exception) -> str:
    """The first line of what went wrong, and the code of the answer.

    What follows is the client's inner state and the whole answer, which may quote keys.
    """
    text = str(error).partition("\n")[0]
    code = re.search(r"<Code>(\w+)</Code>", str(error))
    return text.partition("<")[0].strip(": ") + (f" ({code[1]})" if code else "")
