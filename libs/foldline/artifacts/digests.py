"""Digests of bytes and files."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

from foldline.artifacts.port import ArtifactCorruptError


def of_bytes(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def of_file(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def verify(digest: str, actual: str) -> None:
    if actual != digest:
        raise ArtifactCorruptError(digest, f"the stored bytes of {digest} have the digest {actual}")


async def verified(digest: str, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass the pieces on; raise at the end when they are not what the digest names."""
    found = hashlib.sha256()
    async for piece in pieces:
        found.update(piece)
        yield piece
    verify(digest, f"sha256:{found.hexdigest()}")
