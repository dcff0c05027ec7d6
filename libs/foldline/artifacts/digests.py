"""Digests of bytes and files, and the pieces that files are read in."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from foldline.artifacts.port import ArtifactCorruptError

PIECE_BYTES = 1024 * 1024


def of_bytes(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def of_file(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def pieces(path: Path) -> Iterator[bytes]:
    """The content of a file, never more than a piece of it in memory."""
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def unchanged(digest: str, path: Path) -> Iterator[bytes]:
    """The pieces of a file; raises before the last one when they are not what the digest names.

    So whoever stores them under the digest never gets to the end of something else.
    """
    found, held = hashlib.sha256(), b""
    for piece in pieces(path):
        found.update(piece)
        if held:
            yield held
        held = piece
    if f"sha256:{found.hexdigest()}" != digest:
        raise ArtifactCorruptError(digest, f"{path} was changed while it was stored as {digest}")
    yield held


def verify(digest: str, actual: str) -> None:
    if actual != digest:
        raise ArtifactCorruptError(digest, f"the stored bytes of {digest} have the digest {actual}")


async def verified(digest: str, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass the pieces on; raise at the end when they are not what the digest names."""
    found = hashlib.sha256()
    async for piece in content:
        found.update(piece)
        yield piece
    verify(digest, f"sha256:{found.hexdigest()}")
