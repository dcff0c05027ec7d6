"""Environments built by the real uv. None of them needs a package, so no index is asked."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from foldline import environments
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.spec import Environment

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


async def output_of(python: Path, code: str) -> str:
    process = await asyncio.create_subprocess_exec(python, "-c", code, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return output.decode().strip()


async def test_an_environment_of_nothing_is_a_bare_one(tmp_path: Path) -> None:
    python = await environments.build(Environment(python=PYTHON), tmp_path)

    assert await output_of(python, "import sys; print(sys.prefix)") == str(python.parent.parent)
    assert await output_of(python, "import importlib.util as u; print(u.find_spec('msgspec'))") == "None"


async def test_the_same_environment_is_built_once(tmp_path: Path) -> None:
    environment = Environment(python=PYTHON)

    found = await asyncio.gather(*(environments.build(environment, tmp_path) for _ in range(3)))

    assert len(set(found)) == 1
    assert len(names_in(tmp_path)) == 1


async def test_another_lock_is_another_environment(tmp_path: Path) -> None:
    await environments.build(Environment(python=PYTHON), tmp_path)
    await environments.build(Environment(python=PYTHON, lock="# nothing\n"), tmp_path)

    assert len(names_in(tmp_path)) == 2


async def test_a_build_that_fails_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    with pytest.raises(FoldlineError) as failed:
        await environments.build(Environment(python=PYTHON, lock="not a requirement!"), tmp_path)

    assert (failed.value.kind, failed.value.reason) == (Kind.INVALID, "REQUIREMENT_NOT_READABLE")
    assert "not a requirement" in failed.value.message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", ["2.7", "3.10", "3.99", "3.11.7", "latest", "../3.11"])
async def test_a_python_that_is_not_there_is_named(tmp_path: Path, version: str) -> None:
    with pytest.raises(FoldlineError, match=version.replace(".", r"\.")) as failed:
        await environments.build(Environment(python=version), tmp_path)

    assert failed.value.reason == "NO_SUCH_PYTHON"


def test_no_requirements_need_no_lock() -> None:
    assert environments.lock([], PYTHON) == ""
