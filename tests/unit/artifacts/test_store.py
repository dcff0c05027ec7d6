"""From an address to a store, and what a store says that cannot be reached."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from foldline.artifacts.folder import FolderStore
from foldline.artifacts.port import ArtifactError, StoreUnavailableError
from foldline.artifacts.store import open_store


@pytest.fixture
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


async def test_a_path_and_a_file_address_are_the_same_folder(tmp_path: Path) -> None:
    digest = await open_store(str(tmp_path / "a store")).put_bytes(b"here")

    store = open_store((tmp_path / "a store").as_uri())

    assert isinstance(store, FolderStore)
    assert await store.read(digest) == b"here"


@pytest.mark.parametrize("url", ["s3://key:secret@bucket/x", "s3://bucket/x?secret=1"])
def test_an_address_with_keys_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(StoreUnavailableError, match="AWS_ACCESS_KEY_ID") as refused:
        open_store(url)

    assert "secret@" not in str(refused.value)
    assert "secret=1" not in str(refused.value)


@pytest.mark.parametrize("url", ["ftp://host/x", "s3://", "s3:///x"])
def test_what_is_no_address_of_a_store_is_told(url: str) -> None:
    with pytest.raises(StoreUnavailableError, match="is no address of an artifact store"):
        open_store(url)


@pytest.mark.usefixtures("_keys")
async def test_a_store_that_does_not_answer_is_given_up_after_the_patience(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    store = open_store("s3://bucket/x", patience_seconds=0.2)

    with pytest.raises(StoreUnavailableError, match="the object store failed") as failed:
        await store.put_bytes(b"lost")

    assert "retry_timeout: 200ms" in str(failed.value)
    assert "the-key" not in str(failed.value)
    assert "the-secret" not in str(failed.value)


@pytest.mark.usefixtures("_keys")
async def test_a_store_that_takes_connections_and_says_nothing_is_given_up_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{mute.getsockname()[1]}")
        store = open_store("s3://bucket/x", patience_seconds=0.2)
        with pytest.raises(ArtifactError):
            await store.exists("sha256:" + "0" * 64)
