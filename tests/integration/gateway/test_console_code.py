"""The console's own checks: types, format, unit tests of its pure modules."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def test_types_format_and_unit_tests_hold() -> None:
    if not (ROOT / "services/gateway/console/node_modules").is_dir():
        pytest.skip(
            "the console's packages are not installed here; python hatch_build.py --check installs them"
        )
    done = subprocess.run(
        [sys.executable, "hatch_build.py", "--check"], cwd=ROOT, check=False, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((ROOT / "services/gateway/console/package-lock.json").read_text())

    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
