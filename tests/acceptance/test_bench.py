"""`python -m tests.bench` for real; what it measures is nobody's promise here."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.long  # it starts an installation of its own; its lines are held by tests/unit/bench
def test_a_case_by_name_prints_its_lines_and_nothing_else() -> None:
    words = ("--json", "--case", "start", "--isolation", "shared", "--repeats", "1")

    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", *words],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    (found,) = map(json.loads, done.stdout.splitlines())
    assert (found["case"], found["isolation"]) == ("start", "shared")
    assert found["submit_to_step_ms"]["n"] == found["runs"]
    assert set(found["floors_ms"]) >= {"fork", "commit_one_row", "nats_request", "grpc_unary"}
