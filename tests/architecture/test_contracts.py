"""Who may import whom: the contracts hold, and each of them really is able to fail."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.architecture.tree import PROGRAMS, ROOT, import_roots, run


class Offence(NamedTuple):
    """A line that breaks a contract when it is added to a module."""

    contract: str  # the start of the contract's name in pyproject.toml
    module: str
    line: str


OFFENCES = [
    Offence("the layers of libs", "libs/foldline/domain/names.py", "import foldline.wire"),
    Offence("the layers of libs", "libs/foldline/utils/__init__.py", ""),
    Offence("domain is pure", "libs/foldline/domain/names.py", "import time"),
    Offence("who runs what next", "services/scheduler/foldline_scheduler/reasons.py", "import time"),
    Offence(
        "services are islands",
        "services/registry/foldline_registry/__init__.py",
        "import foldline_scheduler",
    ),
    Offence("libs never import services", "libs/foldline/wire/__init__.py", "import foldline_registry"),
    Offence(
        "services import neither sdk",
        "services/registry/foldline_registry/__init__.py",
        "import foldline.testing",
    ),
    Offence(
        "services never decode",
        "services/recorder/foldline_recorder/__init__.py",
        "import foldline.runtime.codecs.pickled",
    ),
    Offence("services never decode", "libs/foldline/execution/inputs.py", "import foldline.runtime.codecs"),
    Offence("the sdk needs neither", "libs/foldline/sdk/__init__.py", "import asyncpg"),
    Offence("Ray is the executor's alone", "libs/foldline/wire/__init__.py", "import ray"),
    Offence("what runs inside a step's process", "libs/foldline/runtime/__init__.py", "import msgspec"),
]


def contracts() -> list[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]]


def lint(root: Path) -> tuple[int, str]:
    done = run(
        PROGRAMS / "lint-imports",
        "--no-cache",
        cwd=root,
        PYTHONPATH=":".join(map(str, import_roots(root))),
    )
    return done.returncode, done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The source tree once more, to be broken."""
    ignored = shutil.ignore_patterns("__pycache__", "node_modules", "static", "console")
    for top in ("libs", "services"):
        shutil.copytree(ROOT / top, tmp_path / top, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_is_kept() -> None:
    code, output = lint(ROOT)

    assert code == 0, output


@pytest.mark.parametrize("offence", OFFENCES, ids=lambda offence: f"{offence.contract}: {offence.module}")
def test_a_broken_contract_is_seen(copy: Path, offence: Offence) -> None:
    module = copy / offence.module
    module.parent.mkdir(exist_ok=True)
    with module.open("a") as file:
        file.write(f"\n{offence.line}\n")

    code, output = lint(copy)

    # A contract that cannot even be checked ends without its line.
    broken = [line for line in output.splitlines() if "BROKEN" in line]
    is_unlisted = "utils" in offence.module and "utils" in output
    assert code != 0, output
    assert is_unlisted or any(line.lstrip().startswith(offence.contract) for line in broken), output


def test_no_contract_is_without_an_offence() -> None:
    untried = [
        name for name in contracts() if not any(name.startswith(offence.contract) for offence in OFFENCES)
    ]

    assert untried == []
