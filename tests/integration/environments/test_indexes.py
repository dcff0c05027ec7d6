"""Where pip would find packages, uv finds them: real files of pip's, a real index on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.environments.building import PYTHON, of, output_of
from tests.packages import Packages

from foldline import environments


@pytest.fixture
def pip_conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """Writes it; uv is told nothing in its own way."""
    monkeypatch.delenv("UV_NO_INDEX")
    monkeypatch.delenv("UV_FIND_LINKS")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    path = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(path))
    return path.write_text


@pytest.fixture
def index(packages: Packages) -> Iterator[str]:
    with packages.served() as address:
        yield address


async def test_the_index_of_pip_locks_and_builds(
    root: Path, packages: Packages, pip_conf: Callable[[str], object], index: str
) -> None:
    packages.wheel("foldpear", "1.0")
    pip_conf(f"[global]\nindex-url = {index}\n")

    lock = environments.lock(["foldpear"], PYTHON)
    python = await environments.build(of(lock), root)

    assert "/simple/foldpear/" in packages.asked
    assert await output_of(python, "import foldpear; print(foldpear.VERSION)") == "1.0"
    assert "127.0.0.1" not in lock


async def test_the_extra_index_and_the_links_of_pip_count_too(
    root: Path, tmp_path: Path, packages: Packages, pip_conf: Callable[[str], object], index: str
) -> None:
    packages.wheel("foldpear", "2.0")
    linked = Packages(tmp_path / "linked")
    linked.wheel("foldplum", "1.0")
    other = Packages(tmp_path / "other")
    other.wheel("foldpear", "1.0")
    with other.served() as main:
        pip_conf(
            f"[global]\nindex-url = {main}\nextra-index-url = {index}\n"
            f"    file://{tmp_path}/none/simple\nfind-links = {tmp_path}/none {linked.folder}\n"
        )
        lock = environments.lock(["foldpear", "foldplum"], PYTHON)
        python = await environments.build(of(lock), root)

    # As pip does it: the best version of all indexes, not of the first that has any.
    assert await output_of(python, "import foldpear, foldplum; print(foldpear.VERSION)") == "2.0"


async def test_what_uv_is_told_comes_before_what_pip_is_told(
    root: Path,
    packages: Packages,
    pip_conf: Callable[[str], object],
    index: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packages.wheel("foldpear", "1.0")
    pip_conf("[global]\nindex-url = http://127.0.0.1:9/simple\n")
    monkeypatch.setenv("UV_DEFAULT_INDEX", index)

    assert "foldpear==1.0" in environments.lock(["foldpear"], PYTHON)


def test_a_constraint_of_pip_counts_when_versions_are_chosen(
    tmp_path: Path, packages: Packages, pip_conf: Callable[[str], object], index: str
) -> None:
    packages.wheel("foldpear", "1.0")
    packages.wheel("foldpear", "2.0")
    (tmp_path / "limits.txt").write_text("foldpear<2\n")
    pip_conf(f"[global]\nindex-url = {index}\nconstraint = {tmp_path}/limits.txt\n")

    assert "foldpear==1.0" in environments.lock(["foldpear"], PYTHON)
