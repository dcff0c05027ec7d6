"""What the real uv cannot do becomes an error that names the requirement and says what to do."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.environments.building import PYTHON, locks_in, names_in, of
from tests.packages import Packages

from foldline import environments
from foldline.chassis.clock import new_id
from foldline.cli.stack.ports import free_port
from foldline.domain.errors import FoldlineError, Kind

ANY_HASH = " --hash=sha256:" + "0" * 64 + "\n"
MACOS = "cp311-cp311-macosx_11_0_arm64"


async def refusal(root: Path, *locked: str) -> FoldlineError:
    with pytest.raises(FoldlineError) as failed:
        await environments.build(of(*locked), root)
    assert (names_in(root), locks_in(root)) == ([], [])
    return failed.value


def refused_lock(*requirements: str) -> FoldlineError:
    with pytest.raises(FoldlineError) as failed:
        environments.lock(requirements, PYTHON)
    return failed.value


async def test_a_package_that_no_index_has(root: Path) -> None:
    error = await refusal(root, "foldnone==1.0" + ANY_HASH)

    assert (error.kind, error.reason) == (Kind.INVALID, "PACKAGE_NOT_FOUND")
    assert "no package index of this machine has foldnone" in error.message


async def test_a_version_that_no_index_has(root: Path, packages: Packages) -> None:
    packages.wheel("foldpear", "1.0")

    error = await refusal(root, "foldpear==9.0" + ANY_HASH)

    assert (error.kind, error.reason) == (Kind.INVALID, "PACKAGE_NOT_FOUND")
    assert "foldpear==9.0" in error.message


async def test_content_that_was_not_locked(root: Path, packages: Packages) -> None:
    packages.wheel("foldpear", "1.0")

    error = await refusal(root, "foldpear==1.0" + ANY_HASH)

    assert (error.kind, error.reason) == (Kind.INVALID, "HASH_MISMATCH")
    assert "serves foldpear==1.0 with other content" in error.message


async def test_a_package_that_this_platform_does_not_have(root: Path, packages: Packages) -> None:
    error = await refusal(root, packages.wheel("foldmac", "1.0", tag=MACOS))

    assert (error.kind, error.reason) == (Kind.INVALID, "NOT_FOR_THIS_PLATFORM")
    assert "foldmac==1.0 has no wheel for the platform" in error.message
    assert "macosx_11_0_arm64" in error.message


async def test_a_source_that_cannot_be_built(root: Path, packages: Packages) -> None:
    error = await refusal(root, packages.source("foldsource", "1.0", "raise SystemExit('no compiler')"))

    assert (error.kind, error.reason) == (Kind.INVALID, "PACKAGE_NOT_BUILT")
    assert "foldsource==1.0 has no wheel for this machine" in error.message
    assert "no compiler" in error.message


@pytest.fixture
def asked_index(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("UV_NO_INDEX")
    monkeypatch.delenv("UV_FIND_LINKS")
    return monkeypatch


async def test_an_index_that_does_not_answer(root: Path, asked_index: pytest.MonkeyPatch) -> None:
    address = f"http://127.0.0.1:{free_port()}/simple"
    asked_index.setenv("UV_DEFAULT_INDEX", address)

    error = await refusal(root, "foldpear==1.0" + ANY_HASH)

    assert (error.kind, error.reason) == (Kind.UNAVAILABLE, "INDEX_UNREACHABLE")
    assert f"does not answer ({address}/foldpear/)" in error.message


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "INDEX_REFUSES"), (403, "INDEX_REFUSES"), (500, "INDEX_UNREACHABLE")]
)
async def test_an_index_that_refuses(
    root: Path, packages: Packages, asked_index: pytest.MonkeyPatch, status: int, reason: str
) -> None:
    with packages.served(status) as index:
        asked_index.setenv("UV_DEFAULT_INDEX", index)
        error = await refusal(root, "foldpear==1.0" + ANY_HASH)

    assert (error.kind, error.reason) == (Kind.UNAVAILABLE, reason)
    assert index in error.message


async def test_what_is_in_no_cache_while_offline(root: Path, asked_index: pytest.MonkeyPatch) -> None:
    asked_index.setenv("UV_OFFLINE", "1")

    error = await refusal(root, "foldpear==1.0" + ANY_HASH)

    assert (error.kind, error.reason) == (Kind.UNAVAILABLE, "INDEX_UNREACHABLE")
    assert "UV_OFFLINE" in error.message


async def test_credentials_of_an_index_are_not_repeated(
    root: Path, packages: Packages, asked_index: pytest.MonkeyPatch
) -> None:
    with packages.served(500) as index:
        asked_index.setenv("UV_DEFAULT_INDEX", index.replace("http://", "http://me:hidden@"))
        error = await refusal(root, "foldpear==1.0" + ANY_HASH)

    assert "hidden" not in error.message


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / f"small-{new_id()}"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small file system can only be mounted by root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_disk_that_is_full(small_disk: Path, packages: Packages) -> None:
    (small_disk / "rest").write_bytes(b"x" * 24 * 1024)

    error = await refusal(small_disk, packages.wheel("foldpear", "1.0"))

    assert (error.kind, error.reason) == (Kind.UNAVAILABLE, "DISK_FULL")
    assert "FOLDLINE_KEEP_ENVIRONMENTS" in error.message


def test_a_requirement_that_does_not_exist_cannot_be_locked() -> None:
    error = refused_lock("foldnone>=2")

    assert (error.kind, error.reason) == (Kind.INVALID, "PACKAGE_NOT_FOUND")
    assert f"the requirements foldnone>=2 cannot be locked for Python {PYTHON}" in error.message


def test_requirements_that_exclude_each_other_cannot_be_locked(packages: Packages) -> None:
    packages.wheel("foldpear", "1.0")
    packages.wheel("foldpear", "2.0")
    packages.wheel("foldtree", "1.0", requires=["foldpear<2"])

    error = refused_lock("foldtree", "foldpear==2.0")

    assert (error.kind, error.reason) == (Kind.INVALID, "REQUIREMENTS_CONFLICT")
    assert "foldtree" in error.message
    assert "foldpear<2" in error.message


def test_a_line_that_is_no_requirement_is_named() -> None:
    error = refused_lock("not a requirement!")

    assert (error.kind, error.reason) == (Kind.INVALID, "REQUIREMENT_NOT_READABLE")
    assert "'not a requirement!' is no requirement" in error.message
