"""One suite for every artifact store: the folder, and the object store on obstore's memory."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from foldline.artifacts.port import (
    ArtifactCorruptError,
    ArtifactMissingError,
    ArtifactStore,
    StoreUnavailableError,
)
from foldline.artifacts.store import open_store


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    return open_store("memory:///" if request.param == "memory" else str(tmp_path / "store"))


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_bytes_come_back_under_their_digest(store: ArtifactStore) -> None:
    digest = await store.put_bytes(b"hello")

    assert digest == digest_of(b"hello")
    assert await store.read(digest) == b"hello"
    assert await store.exists(digest)


async def test_the_same_bytes_may_be_put_twice(store: ArtifactStore) -> None:
    assert await store.put_bytes(b"twice") == await store.put_bytes(b"twice")


async def test_a_file_is_kept_and_the_original_stays(store: ArtifactStore, tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"x" * 3_000_000)

    digest, size = await store.put_file(path)

    assert (digest, size) == (digest_of(b"x" * 3_000_000), 3_000_000)
    assert path.read_bytes() == await store.read(digest)


async def test_a_kept_file_does_not_follow_changes_of_the_original(
    store: ArtifactStore, tmp_path: Path
) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"before")
    digest, _ = await store.put_file(path)

    path.write_bytes(b"after")

    assert await store.read(digest) == b"before"


async def test_a_taken_file_is_kept(store: ArtifactStore, tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"take me")

    digest, _ = await store.put_file(path, take=True)

    assert await store.read(digest) == b"take me"


async def test_fetching_leaves_a_whole_file(store: ArtifactStore, tmp_path: Path) -> None:
    digest = await store.put_bytes(b"content" * 1000)

    await store.fetch(digest, tmp_path / "copy")

    assert (tmp_path / "copy").read_bytes() == b"content" * 1000
    assert "copy.partial" not in names_in(tmp_path)


async def test_a_stream_yields_the_whole_content(store: ArtifactStore) -> None:
    content = bytes(range(256)) * 20_000
    digest = await store.put_bytes(content)

    assert b"".join([piece async for piece in store.stream(digest)]) == content


async def test_what_is_not_there_is_missing(store: ArtifactStore, tmp_path: Path) -> None:
    digest = digest_of(b"never put")

    assert not await store.exists(digest)
    assert store.local_path(digest) is None
    with pytest.raises(ArtifactMissingError, match="there is no"):
        await store.read(digest)
    with pytest.raises(ArtifactMissingError):
        await store.fetch(digest, tmp_path / "copy")
    with pytest.raises(ArtifactMissingError):
        [piece async for piece in store.stream(digest)]
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("name", ["", "sha256:", "sha256:../../etc/passwd", "md5:" + "0" * 64])
async def test_what_is_no_digest_is_missing(store: ArtifactStore, name: str) -> None:
    with pytest.raises(ArtifactMissingError, match="is no digest"):
        await store.read(name)


async def test_objects_are_listed_in_order_of_their_keys(store: ArtifactStore) -> None:
    for key in ("logs/run/1/a/000000000002.jsonl", "logs/run/1/a/000000000001.jsonl", "logs/run/2/a/1.jsonl"):
        await store.write_object(key, key.encode())

    assert await store.list_objects("logs/run/1/") == [
        "logs/run/1/a/000000000001.jsonl",
        "logs/run/1/a/000000000002.jsonl",
    ]
    assert await store.read_object("logs/run/2/a/1.jsonl") == b"logs/run/2/a/1.jsonl"
    assert await store.list_objects("logs/none/") == []


async def test_an_object_may_be_written_again(store: ArtifactStore) -> None:
    await store.write_object("logs/end.json", b"1")
    await store.write_object("logs/end.json", b"2")

    assert await store.read_object("logs/end.json") == b"2"


@pytest.mark.parametrize("key", ["../up", "/root", "a/../b", "a//b", "", "a b", "a/."])
async def test_a_key_that_leads_elsewhere_is_refused(store: ArtifactStore, key: str) -> None:
    with pytest.raises(ArtifactMissingError, match=re.escape(repr(key))):
        await store.write_object(key, b"")


async def test_a_store_that_works_says_so(store: ArtifactStore) -> None:
    await store.check()


async def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    digest = await store.put_bytes(b"true")
    path = store.local_path(digest)
    assert path is not None
    path.chmod(0o644)
    path.write_bytes(b"fake")

    with pytest.raises(ArtifactCorruptError, match=digest):
        await store.read(digest)
    with pytest.raises(ArtifactCorruptError):
        await store.fetch(digest, tmp_path / "copy")
    with pytest.raises(ArtifactCorruptError):
        [piece async for piece in store.stream(digest)]
    assert not (tmp_path / "copy").exists()


async def test_an_artifact_in_a_folder_can_be_read_in_place_but_not_written(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    path = store.local_path(await store.put_bytes(b"in place"))

    assert path is not None
    assert path.read_bytes() == b"in place"
    assert path.stat().st_mode & 0o222 == 0


async def test_nothing_half_written_stays_in_a_folder(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    await store.put_bytes(b"whole")

    with pytest.raises(ArtifactMissingError):
        await store.put_file(tmp_path / "no such file")

    assert names_in(tmp_path / "store" / "partial") == []


async def test_an_object_store_that_does_not_answer_is_unavailable() -> None:
    from obstore.store import S3Store

    from foldline.artifacts.remote import RemoteStore

    nobody = S3Store(
        "bucket",
        endpoint="http://127.0.0.1:9",
        access_key_id="a",
        secret_access_key="b",
        region="local",
        client_options={"allow_http": True, "timeout": "1s"},
        retry_config={"max_retries": 0},
    )

    with pytest.raises(StoreUnavailableError, match="the object store failed"):
        await RemoteStore(nobody).put_bytes(b"lost")
