"""The artifact store in memory keeps the promises of the port."""

from __future__ import annotations

import obstore
import pytest
from tests.conformance.artifact_store import ArtifactStoreConformance, Corrupt

from foldline.artifacts.port import ArtifactStore, key_of
from foldline.artifacts.remote import RemoteStore


class TestMemoryArtifactStore(ArtifactStoreConformance):
    @pytest.fixture
    def url(self) -> str:
        return "memory:///"

    @pytest.fixture
    def corrupt(self, store: ArtifactStore) -> Corrupt:
        assert isinstance(store, RemoteStore)
        return lambda digest, content: put(store, digest, content)


def put(store: RemoteStore, digest: str, content: bytes) -> None:
    obstore.put(store._store, key_of(digest), content, mode="overwrite")
