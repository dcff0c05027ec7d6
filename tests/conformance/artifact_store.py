"""What every adapter of the artifact store must do. Its tests inherit from this and give the `url`."""

from __future__ import annotations

import asyncio
import hashlib
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from foldline.artifacts.port import ArtifactCorruptError, ArtifactMissingError, ArtifactStore
from foldline.artifacts.store import open_store

MEBIBYTE = 1024 * 1024

Corrupt = Callable[[str, bytes], None]
"""Put other bytes in the place of an artifact, behind the store's back."""


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def large_file(path: Path, mebibytes: int) -> str:
    """A file of so much, which costs no disk; its digest."""
    with path.open("wb") as file:
        file.truncate(mebibytes * MEBIBYTE)
    found = hashlib.sha256()
    for _ in range(mebibytes):
        found.update(bytes(MEBIBYTE))
    return f"sha256:{found.hexdigest()}"


class ArtifactStoreConformance:
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        raise NotImplementedError

    @pytest.fixture
    def store(self, url: str) -> ArtifactStore:
        return open_store(url)

    @pytest.fixture
    def corrupt(self, store: ArtifactStore) -> Corrupt:
        raise NotImplementedError

    async def test_bytes_come_back_under_their_digest(self, store: ArtifactStore) -> None:
        digest = await store.put_bytes(b"hello")

        assert digest == digest_of(b"hello")
        assert await store.read(digest) == b"hello"
        assert await store.exists(digest)

    async def test_nothing_is_an_artifact_too(self, store: ArtifactStore, tmp_path: Path) -> None:
        (tmp_path / "empty").touch()

        assert await store.put_file(tmp_path / "empty") == (digest_of(b""), 0)
        assert await store.read(digest_of(b"")) == b""
        assert [piece async for piece in store.stream(digest_of(b""))] in ([], [b""])

    async def test_the_same_bytes_may_be_put_twice(self, store: ArtifactStore) -> None:
        assert await store.put_bytes(b"twice") == await store.put_bytes(b"twice")

    @pytest.mark.parametrize("mebibytes", [1, 24])
    async def test_many_writers_of_the_same_bytes_all_succeed(
        self, store: ArtifactStore, tmp_path: Path, mebibytes: int
    ) -> None:
        digest = large_file(tmp_path / "data", mebibytes)

        stored = await asyncio.gather(*(store.put_file(tmp_path / "data") for _ in range(8)))

        assert stored == [(digest, mebibytes * MEBIBYTE)] * 8
        assert digest_of(await store.read(digest)) == digest

    @pytest.mark.parametrize("size", [3_000_000, 30_000_000])
    async def test_a_file_is_kept_and_the_original_stays(
        self, store: ArtifactStore, tmp_path: Path, size: int
    ) -> None:
        path = tmp_path / "data"
        path.write_bytes(b"x" * size)

        digest, found = await store.put_file(path)

        assert (digest, found) == (digest_of(b"x" * size), size)
        assert path.read_bytes() == await store.read(digest)

    async def test_a_kept_file_does_not_follow_changes_of_the_original(
        self, store: ArtifactStore, tmp_path: Path
    ) -> None:
        path = tmp_path / "data"
        path.write_bytes(b"before")
        digest, _ = await store.put_file(path)

        path.write_bytes(b"after")

        assert await store.read(digest) == b"before"

    async def test_a_file_that_changes_while_it_is_stored_is_not_stored(
        self, store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from foldline.artifacts import digests

        path = tmp_path / "data"
        digest = large_file(path, 24)
        read = digests.of_file

        def change(file: Path) -> str:
            found = read(file)
            with file.open("r+b") as it:
                it.write(b"changed")
            return found

        monkeypatch.setattr(digests, "of_file", change)
        with pytest.raises(ArtifactCorruptError, match="was changed while it was stored"):
            await store.put_file(path)

        assert not await store.exists(digest)

    async def test_a_taken_file_is_kept(self, store: ArtifactStore, tmp_path: Path) -> None:
        path = tmp_path / "data"
        path.write_bytes(b"take me")

        digest, _ = await store.put_file(path, take=True)

        assert await store.read(digest) == b"take me"

    async def test_fetching_leaves_a_whole_file(self, store: ArtifactStore, tmp_path: Path) -> None:
        digest = await store.put_bytes(b"content" * 1000)

        await store.fetch(digest, tmp_path / "copy")

        assert (tmp_path / "copy").read_bytes() == b"content" * 1000
        assert "copy.partial" not in names_in(tmp_path)

    async def test_a_stream_yields_the_whole_content(self, store: ArtifactStore) -> None:
        content = bytes(range(256)) * 20_000
        digest = await store.put_bytes(content)

        assert b"".join([piece async for piece in store.stream(digest)]) == content

    async def test_what_is_not_there_is_missing(self, store: ArtifactStore, tmp_path: Path) -> None:
        digest = digest_of(b"never put")

        assert not await store.exists(digest)
        assert store.local_path(digest) is None
        with pytest.raises(ArtifactMissingError, match="there is no"):
            await store.read(digest)
        with pytest.raises(ArtifactMissingError):
            await store.fetch(digest, tmp_path / "copy")
        with pytest.raises(ArtifactMissingError):
            [piece async for piece in store.stream(digest)]
        with pytest.raises(ArtifactMissingError):
            await store.put_file(tmp_path / "no such file")
        assert not (tmp_path / "copy").exists()

    @pytest.mark.parametrize("name", ["", "sha256:", "sha256:../../etc/passwd", "md5:" + "0" * 64])
    async def test_what_is_no_digest_is_missing(self, store: ArtifactStore, name: str) -> None:
        with pytest.raises(ArtifactMissingError, match="is no digest"):
            await store.read(name)

    async def test_bytes_that_are_not_their_digest_are_found_by_every_reader(
        self, store: ArtifactStore, corrupt: Corrupt, tmp_path: Path
    ) -> None:
        digest = await store.put_bytes(b"true")
        corrupt(digest, b"fake")

        message = f"the stored bytes of {digest} have the digest {digest_of(b'fake')}"
        with pytest.raises(ArtifactCorruptError, match=message):
            await store.read(digest)
        with pytest.raises(ArtifactCorruptError, match=message):
            await store.fetch(digest, tmp_path / "copy")
        with pytest.raises(ArtifactCorruptError, match=message):
            [piece async for piece in store.stream(digest)]
        assert not (tmp_path / "copy").exists()

    async def test_objects_are_listed_in_order_of_their_keys(self, store: ArtifactStore) -> None:
        for name in ("1/a/000000000002.jsonl", "1/a/000000000001.jsonl", "2/a/1.jsonl"):
            await store.write_object(f"logs/run/{name}", name.encode())

        assert await store.list_objects("logs/run/1/") == [
            "logs/run/1/a/000000000001.jsonl",
            "logs/run/1/a/000000000002.jsonl",
        ]
        assert await store.read_object("logs/run/2/a/1.jsonl") == b"2/a/1.jsonl"
        assert await store.list_objects("logs/none/") == []

    async def test_an_object_may_be_written_again(self, store: ArtifactStore) -> None:
        await store.write_object("logs/end.json", b"1")
        await store.write_object("logs/end.json", b"2")

        assert await store.read_object("logs/end.json") == b"2"

    @pytest.mark.parametrize("key", ["../up", "/root", "a/../b", "a//b", "", "a b", "a/.", "sha256/ab/abcd"])
    async def test_a_key_that_leads_elsewhere_is_refused(self, store: ArtifactStore, key: str) -> None:
        with pytest.raises(ArtifactMissingError, match=re.escape(repr(key))):
            await store.write_object(key, b"")

    async def test_a_store_that_works_says_so(self, store: ArtifactStore) -> None:
        await store.check()


class SharedArtifactStoreConformance(ArtifactStoreConformance):
    """Of stores that several processes use."""

    large_mebibytes = 1024

    async def test_a_large_artifact_passes_through_little_memory(
        self, store: ArtifactStore, url: str, tmp_path: Path
    ) -> None:
        digest = large_file(tmp_path / "data", self.large_mebibytes)

        peak = int(in_another_process(_PASS, url, str(tmp_path / "data"), str(tmp_path / "copy")))

        assert peak < 200 * MEBIBYTE
        assert (tmp_path / "copy").stat().st_size == self.large_mebibytes * MEBIBYTE
        assert await store.exists(digest)

    async def test_a_writer_killed_half_way_leaves_nothing_to_see(
        self, store: ArtifactStore, url: str, tmp_path: Path
    ) -> None:
        digest = large_file(tmp_path / "data", 64)
        with another_process(_STALL, url, str(tmp_path / "data")) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"half-way\n"
            writer.kill()
        assert writer.returncode == -signal.SIGKILL

        assert not await store.exists(digest)
        with pytest.raises(ArtifactMissingError):
            await store.read(digest)
        assert await store.put_file(tmp_path / "data") == (digest, 64 * MEBIBYTE)
        assert digest_of(await store.read(digest)) == digest

    async def test_writers_in_several_processes_all_succeed(
        self, store: ArtifactStore, url: str, tmp_path: Path
    ) -> None:
        digest = large_file(tmp_path / "data", 16)
        writers = [another_process(_PUT, url, str(tmp_path / "data")) for _ in range(4)]

        said = [writer.communicate(timeout=120)[0].decode().strip() for writer in writers]

        assert said == [digest] * 4
        assert digest_of(await store.read(digest)) == digest


def another_process(code: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE)


def in_another_process(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=250, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


_PUT = """
import asyncio, sys
from pathlib import Path
from foldline.artifacts.store import open_store
print(asyncio.run(open_store(sys.argv[1]).put_file(Path(sys.argv[2])))[0])
"""

# VmHWM is of this program alone; ru_maxrss would begin with that of the process which started it.
_PASS = """
import asyncio, re, sys
from pathlib import Path
from foldline.artifacts.store import open_store

async def main():
    store = open_store(sys.argv[1])
    digest, _ = await store.put_file(Path(sys.argv[2]))
    async for piece in store.stream(digest):
        pass
    await store.fetch(digest, Path(sys.argv[3]))

asyncio.run(main())
print(1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]))
"""

_STALL = """
import asyncio, sys, threading
from pathlib import Path
from foldline.artifacts import digests
from foldline.artifacts.store import open_store

whole = digests.pieces

def half(path):
    for number, piece in enumerate(whole(path)):
        if number == 32:
            print("half-way", flush=True)
            threading.Event().wait()
        yield piece

digests.pieces = half
asyncio.run(open_store(sys.argv[1]).put_file(Path(sys.argv[2])))
"""
