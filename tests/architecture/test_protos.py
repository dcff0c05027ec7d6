"""The generated code is what the protos say, and the protos stay readable for those who have old ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.architecture.tree import LIBS, PROGRAMS, ROOT, run


def contents(libs: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(libs)): path.read_bytes()
        for path in sorted((libs / "foldline" / "api").rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_generating_again_changes_nothing(tmp_path: Path) -> None:
    made = run("make", "--silent", "protos", f"GENERATED={tmp_path}")

    assert made.returncode == 0, made.stdout
    fresh, committed = contents(tmp_path), contents(LIBS)
    assert sorted(fresh) == sorted(committed)
    assert [name for name in fresh if fresh[name] != committed[name]] == []


def test_buf_finds_nothing_to_say() -> None:
    linted = run(PROGRAMS / "buf", "lint")

    assert linted.returncode == 0, linted.stdout


def test_nothing_is_broken_for_those_who_have_the_protos_of_main() -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    if run("git", "rev-parse", "--verify", "--quiet", "main^{commit}").returncode != 0:
        pytest.skip("there is no branch main to compare with")

    compared = run(PROGRAMS / "buf", "breaking", "--against", f"{ROOT / '.git'}#branch=main")

    assert compared.returncode == 0, compared.stdout
