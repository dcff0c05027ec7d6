"""Lists that are too long for events: read from the artifact store for maps, stored before they are named.

Whoever forgets a list here reads it again; a digest names the same bytes for ever.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from foldline.artifacts.port import ArtifactError, ArtifactStore
from foldline.domain import inner, lists
from foldline.domain.artifacts import Artifact, Item
from foldline.domain.commands import Expansion
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.run import RunState
from foldline.domain.run_events import RunEvent
from foldline.domain.values import artifact_of

CACHED = 32
"""Lists kept in memory. A map is opened child by child, each time with a slice of the same list."""


class Lists:
    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._cache: OrderedDict[str, Sequence[Item]] = OrderedDict()

    async def items(self, state: RunState, step: str) -> Sequence[Item]:
        """What the map step runs over. Raises UNAVAILABLE, or INVALID for what is no list."""
        declared = state.plan.step(step)
        found = inner.inline_items(state, declared)
        if found is not None:
            return found
        assert declared.map is not UNSET
        artifact = artifact_of(state, declared.inputs[declared.map.over])
        assert artifact is not None, "a JSON value is inline"
        if artifact.digest in self._cache:
            self._cache.move_to_end(artifact.digest)
            return self._cache[artifact.digest]
        items = await self._read(artifact)
        self._cache[artifact.digest] = items
        while len(self._cache) > CACHED:
            self._cache.popitem(last=False)
        return items

    async def expansion(self, state: RunState, step: str) -> Expansion:
        """How a step with a body begins. Raises UNAVAILABLE while its list cannot be read."""
        if state.plan.step(step).map is UNSET:
            return Expansion(step=step)
        try:
            items = await self.items(state, step)
        except FoldlineError as error:
            if error.kind is Kind.UNAVAILABLE:
                raise
            return Expansion(step=step, reason=error.reason, problem=error.message)
        return Expansion(step=step, sizes=lists.sizes(items))

    async def keep(self, events: list[RunEvent], state: RunState) -> None:
        """Store the lists that the events name by digest alone."""
        for digest, content in inner.contents(events, state).items():
            try:
                stored = await self._store.put_bytes(content)
            except ArtifactError as error:
                raise FoldlineError(Kind.UNAVAILABLE, "STORE_UNAVAILABLE", str(error)) from error
            assert stored == digest

    async def _read(self, artifact: Artifact) -> Sequence[Item]:
        if artifact.encoding in (lists.LIST, lists.LISTS):
            return lists.items_of(await self._entries(artifact))
        if artifact.encoding != "json":
            message = f"a map runs over a list, not over {artifact.encoding}"
            raise FoldlineError(Kind.INVALID, "NOT_A_LIST", message)
        content = await self._content(artifact)
        return await asyncio.to_thread(lambda: lists.items(msgspec.json.decode(content)))

    async def _entries(self, artifact: Artifact) -> list[Artifact | None]:
        content = await self._content(artifact)
        found = await asyncio.to_thread(lists.entries, content)
        if artifact.encoding == lists.LIST:
            return found
        parts = [await self._entries(part) for part in found if part is not None]
        return [one for part in parts for one in part]

    async def _content(self, artifact: Artifact) -> bytes:
        if artifact.value is not UNSET:
            return msgspec.json.encode(artifact.value)
        try:
            return await self._store.read(artifact.digest)
        except ArtifactError as error:
            raise FoldlineError(Kind.UNAVAILABLE, "STORE_UNAVAILABLE", str(error)) from error
