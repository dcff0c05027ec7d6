"""The port of the artifact store, and what can go wrong with one.

Two name spaces. *Artifacts* are named by their content: `sha256:<64 hex digits>`, kept under
`sha256/ab/abcd…`; putting the same bytes twice is nothing. *Objects* (logs) have keys of their own and may be
written again; the last writer wins; they never lie where artifacts do.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Protocol

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_OURS = ("sha256", "partial")
_KEY = re.compile(r"(?!/)(?:(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+(?:/|$))+(?<!/)")


class ArtifactError(Exception):
    """Base of what a store raises. `key` is the digest or key in question."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class ArtifactMissingError(ArtifactError):
    """There is nothing under that digest or key."""


class ArtifactCorruptError(ArtifactError):
    """The bytes are not those that the digest names."""


class StoreUnavailableError(ArtifactError):
    """The store does not answer, or refuses; another try may help."""


class ArtifactStore(Protocol):
    """Whatever is large passes in pieces. An artifact that is there is not written again, and a writer that
    ends half-way, even by SIGKILL, leaves nothing that a reader could see.
    """

    async def put_bytes(self, content: bytes) -> str:
        """Keep the bytes and return their digest."""
        ...

    async def put_file(self, path: Path, *, take: bool = False) -> tuple[str, int]:
        """Keep a file's content; digest and size. With `take` the store may move the file away."""
        ...

    async def read(self, digest: str) -> bytes: ...

    async def fetch(self, digest: str, path: Path) -> None:
        """Copy the artifact to `path`, which appears whole or not at all."""
        ...

    def stream(self, digest: str) -> AsyncGenerator[bytes, None]:
        """The content in pieces; a wrong digest is found (and raised) at the end."""
        ...

    async def exists(self, digest: str) -> bool: ...

    def local_path(self, digest: str) -> Path | None:
        """Where the artifact can be read as a file, when that needs no copy."""
        ...

    async def write_object(self, key: str, content: bytes) -> None: ...

    async def read_object(self, key: str) -> bytes: ...

    async def list_objects(self, prefix: str) -> list[str]:
        """Keys under a prefix that ends with "/", sorted."""
        ...

    async def check(self) -> None:
        """Raise StoreUnavailableError when the store is of no use now."""
        ...


def key_of(digest: str) -> str:
    """The key under which an artifact is kept. Raises for what is no digest."""
    if not _DIGEST.fullmatch(digest):
        raise ArtifactMissingError(digest, f"{digest!r} is no digest; one reads sha256:<64 hex digits>")
    name = digest.removeprefix("sha256:")
    return f"sha256/{name[:2]}/{name}"


def checked(key: str) -> str:
    """The key, if it is one: segments of letters, digits, dots, dashes, underscores; no way upwards, and none
    to where artifacts are kept."""
    if not _KEY.fullmatch(key.removesuffix("/")) or key.partition("/")[0] in _OURS:
        raise ArtifactMissingError(key, f"{key!r} is no key of an object")
    return key
