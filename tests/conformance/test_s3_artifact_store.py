"""The artifact store on a real S3 server keeps the promises of the port."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.conformance.artifact_store import Corrupt, SharedArtifactStoreConformance
from tests.conformance.test_memory_artifact_store import put
from tests.s3 import BUCKET, KEY, SECRET, S3Server, running

from foldline.artifacts.port import ArtifactStore, StoreUnavailableError
from foldline.artifacts.remote import RemoteStore
from foldline.artifacts.store import open_store
from foldline.chassis.clock import new_id


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running(tmp_path_factory.mktemp("s3")) as server:
        yield server


class TestS3ArtifactStore(SharedArtifactStoreConformance):
    large_mebibytes = 256

    @pytest.fixture
    def url(self, server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        return f"s3://{BUCKET}/{new_id()}"

    @pytest.fixture
    def corrupt(self, store: ArtifactStore) -> Corrupt:
        assert isinstance(store, RemoteStore)
        return lambda digest, content: put(store, digest, content)

    async def test_stores_with_different_prefixes_do_not_see_each_other(
        self, store: ArtifactStore, url: str
    ) -> None:
        digest = await store.put_bytes(b"mine")

        assert not await open_store(f"{url}-other").exists(digest)

    async def test_a_wrong_secret_is_told_without_any_key(
        self, store: ArtifactStore, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")

        with pytest.raises(StoreUnavailableError, match="SignatureDoesNotMatch") as refused:
            await open_store(url).put_bytes(b"x")
        with pytest.raises(StoreUnavailableError, match="403"):
            await open_store(url).check()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody-at-all")
        with pytest.raises(StoreUnavailableError) as unknown:
            await open_store(url).put_bytes(b"x")

        for text in (str(refused.value), str(unknown.value), repr(store), repr(vars(store))):
            assert not any(word in text for word in (KEY, SECRET, "wrong", "nobody-at-all"))
