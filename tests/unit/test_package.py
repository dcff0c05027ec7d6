"""The root package: light to import, and the door to what authors and steps use."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import foldline

ROOT = Path(__file__).parents[2]
THIRD_PARTY = {"google", "grpc", "msgspec", "structlog", "numpy", "pandas", "click", "rich"}


def _loads(code: str) -> set[str]:
    """Names of the modules that a fresh process loads for some code."""
    command = [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules, sep='\\n')"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.splitlines())


def test_importing_foldline_imports_nothing_else() -> None:
    loaded = _loads("import foldline")

    assert not {name for name in loaded if name.startswith("foldline.")}
    assert not loaded & THIRD_PARTY


def test_what_a_step_touches_needs_the_standard_library_alone() -> None:
    loaded = _loads("import foldline as fl; [getattr(fl, name) for name in fl.__all__]")

    assert not loaded & THIRD_PARTY


@pytest.mark.parametrize("name", sorted(set(foldline.__all__) - {"__version__"}))
def test_each_name_of_the_door_leads_somewhere(name: str) -> None:
    assert getattr(foldline, name) is not None
    assert name in dir(foldline)


def test_a_name_that_does_not_exist_is_refused_as_usual() -> None:
    with pytest.raises(AttributeError, match="no attribute 'teleport'"):
        getattr(foldline, "tele" + "port")


def test_the_version_is_the_one_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert foldline.__version__ == project["version"]
