"""The artifact store in a folder keeps the promises of the port."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from tests.conformance.artifact_store import Corrupt, SharedArtifactStoreConformance, names_in

from foldline.artifacts.folder import FolderStore
from foldline.artifacts.port import ArtifactMissingError, ArtifactStore, key_of
from foldline.artifacts.store import open_store


class TestFolderArtifactStore(SharedArtifactStoreConformance):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return str(tmp_path / "store")

    @pytest.fixture
    def corrupt(self, tmp_path: Path) -> Corrupt:
        def corrupt(digest: str, content: bytes) -> None:
            path = tmp_path / "store" / key_of(digest)
            path.chmod(0o644)
            path.write_bytes(content)

        return corrupt

    async def test_an_artifact_can_be_read_in_place_but_not_written(self, store: ArtifactStore) -> None:
        path = store.local_path(await store.put_bytes(b"in place"))

        assert path is not None
        assert path.read_bytes() == b"in place"
        assert path.stat().st_mode & 0o222 == 0

    @pytest.mark.parametrize("quick_seconds", [0.0, 3600.0])
    async def test_small_values_are_kept_whether_or_not_the_disk_is_quick(
        self, tmp_path: Path, quick_seconds: float
    ) -> None:
        store = FolderStore(tmp_path / "store", quick_seconds=quick_seconds)

        for content in (b"first", b"second", b"first"):
            digest = await store.put_bytes(content)
            assert await store.read(digest) == content
        assert names_in(tmp_path / "store" / "partial") == []

    async def test_nothing_half_written_stays(self, store: ArtifactStore, tmp_path: Path) -> None:
        await store.put_bytes(b"whole")

        with pytest.raises(ArtifactMissingError):
            await store.put_file(tmp_path / "no such file")

        assert names_in(tmp_path / "store" / "partial") == []

    async def test_what_killed_writers_left_is_removed_after_a_week(self, url: str, tmp_path: Path) -> None:
        partial = tmp_path / "store" / "partial"
        partial.mkdir(parents=True)
        (partial / "of today").touch()
        (partial / "old").touch()
        long_ago = time.time() - 8 * 24 * 3600
        os.utime(partial / "old", (long_ago, long_ago))

        open_store(url)

        assert names_in(partial) == ["of today"]
