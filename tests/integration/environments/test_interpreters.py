"""Which Python an environment gets: real ones of this machine, and programs that only look like one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.integration.environments.building import PYTHON, of, output_of

from foldline import environments
from foldline.domain.errors import FoldlineError, Kind
from foldline.environments import Environments, interpreters


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def claims(path: Path, version: str) -> Path:
    """A program that says that it is a Python of that version."""
    said = f'["{path}", "{version}", "{version}.7", "cpython", "linux", "abi"]'
    return program(path, f"echo '{said}'")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One with nothing but the Python that runs this."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("PYENV_ROOT", "XDG_DATA_HOME", "UV_PYTHON_INSTALL_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_python_that_runs_this_is_found_by_its_base(machine: Path) -> None:
    found = interpreters.find(PYTHON)

    assert found.version == PYTHON
    assert found.full_version == sys.version.split()[0]
    assert not found.path.is_relative_to(sys.prefix) or sys.prefix == sys.base_prefix


@pytest.mark.parametrize(
    "place",
    [
        "bin/python3.99",
        "home/.pyenv/versions/3.99.7/bin/python",
        "home/.local/share/uv/python/cpython-3.99.7-linux-x86_64-gnu/bin/python3",
    ],
)
def test_pythons_are_found_where_they_usually_are(machine: Path, place: str) -> None:
    path = claims(machine / place, "3.99")

    assert interpreters.find("3.99").path == path


def test_a_shim_that_does_not_work_hides_nothing(machine: Path) -> None:
    program(machine / "bin" / "python3.99", "echo 'command not found' >&2; exit 127")
    behind = claims(machine / "home" / ".pyenv" / "versions" / "3.99.7" / "bin" / "python", "3.99")

    assert interpreters.find("3.99").path == behind


def test_what_the_operator_lists_comes_first(machine: Path) -> None:
    claims(machine / "bin" / "python3.99", "3.99")
    listed = claims(machine / "opt" / "python", "3.99")

    assert interpreters.find("3.99", [listed]).path == listed


def test_a_python_that_is_missing_is_answered_with_what_is_there(machine: Path) -> None:
    there = claims(machine / "bin" / "python3.98", "3.98")
    broken = program(machine / "opt" / "python", "exit 1")

    with pytest.raises(FoldlineError) as failed:
        interpreters.find("3.99", [broken])

    assert (failed.value.kind, failed.value.reason) == (Kind.PRECONDITION, "NO_SUCH_PYTHON")
    assert f"it has {PYTHON} (" in failed.value.message
    assert f"3.98 ({there})" in failed.value.message
    assert f"{broken} in FOLDLINE_PYTHONS is no interpreter that starts" in failed.value.message


@pytest.mark.parametrize("version", ["2.7", "3.10", "3.11.7", "latest", "../3.11"])
async def test_a_python_that_steps_cannot_have_is_named(root: Path, version: str) -> None:
    with pytest.raises(FoldlineError, match=version.replace(".", r"\.")) as failed:
        await environments.build(of(python=version), root)

    assert (failed.value.kind, failed.value.reason) == (Kind.INVALID, "NO_SUCH_PYTHON")


@pytest.mark.parametrize("found", interpreters.installed(), ids=lambda one: one.version)
async def test_every_python_of_this_machine_makes_an_environment(
    root: Path, found: interpreters.Interpreter
) -> None:
    async with Environments(root).use(of(python=found.version)) as python:
        assert await output_of(python, "import sys; print(sys.version.split()[0])") == found.full_version
