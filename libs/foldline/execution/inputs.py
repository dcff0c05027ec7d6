"""Inputs of an attempt, resolved for its process: values as they are, artifacts as files of this machine."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from msgspec import UNSET

from foldline.domain import lists
from foldline.domain.artifacts import Artifact
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.work import Input
from foldline.runtime.jobs import LISTS, Given

FETCHED_AT_ONCE = 16
"""Files of one list."""


class Inputs:
    def __init__(
        self, local_path: Callable[[str], Path | None], fetch: Callable[[str], Awaitable[Path]]
    ) -> None:
        """`local_path` is where an artifact is a file already; `fetch` makes one of it."""
        self._local_path = local_path
        self._fetch = fetch

    async def given(self, one: Input) -> Given:
        """Raises ArtifactError, and INVALID for what is no list."""
        return Given(value=one.value) if one.artifact is UNSET else await self.artifact(one.artifact)

    async def artifact(self, artifact: Artifact) -> Given:
        """The same."""
        found = await self._one(artifact)
        if artifact.encoding not in LISTS:
            return found
        items: dict[str, Given] = {}
        await self._bring(artifact, found, items)
        return Given(
            value=found.value, file=found.file, encoding=found.encoding, digest=found.digest, items=items
        )

    async def _one(self, artifact: Artifact) -> Given:
        if artifact.value is not UNSET:
            if artifact.encoding in LISTS:
                return Given(value=artifact.value, encoding=artifact.encoding, digest=artifact.digest)
            return Given(value=artifact.value)  # what is in the event is not read anywhere
        file = self._local_path(artifact.digest) or await self._fetch(artifact.digest)
        return Given(
            file=str(file),
            encoding=artifact.encoding,
            digest=artifact.digest,
            filename=artifact.filename,
        )

    async def _bring(self, artifact: Artifact, given: Given, items: dict[str, Given]) -> None:
        """Files of all that is in the list and not a value in it; lists in it are looked into."""
        unread = deque([(artifact, given)])
        while unread:
            wanted = {
                one.digest: one
                for one in await _entries(*unread.popleft())
                if one is not None
                and (one.value is UNSET or one.encoding in LISTS)
                and one.digest not in items
            }
            for some in _batches(list(wanted.values())):
                for one, found in zip(some, await asyncio.gather(*map(self._one, some)), strict=True):
                    if found.file:
                        items[one.digest] = found
                    if one.encoding in LISTS:
                        unread.append((one, found))


async def _entries(artifact: Artifact, given: Given) -> list[Artifact | None]:
    if given.file:
        content = await asyncio.to_thread(Path(given.file).read_bytes)
    else:
        content = msgspec.json.encode(artifact.value)
    try:
        return lists.entries(content)
    except msgspec.MsgspecError as error:
        message = f"{artifact.digest} is no list of artifacts: {error}"
        raise FoldlineError(Kind.INVALID, "INPUT_NOT_READABLE", message) from error


def _batches(found: list[Artifact]) -> list[list[Artifact]]:
    return [found[start : start + FETCHED_AT_ONCE] for start in range(0, len(found), FETCHED_AT_ONCE)]
