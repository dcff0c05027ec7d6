"""`foldline chaos` on real processes: a short campaign finds nothing, and a planted fault is found."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.timeout(400)


def chaos(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "foldline.cli.main", "chaos", "--json", *options],
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )


def test_a_campaign_by_seed_leaves_nothing_lost_doubled_or_stuck() -> None:
    result = chaos("--seed", "7", "--faults", "8")

    assert result.returncode == 0, result.stdout + result.stderr
    verdict = json.loads(result.stdout)
    assert (verdict["seed"], verdict["runs"], len(verdict["faults"]), verdict["findings"]) == (7, 6, 8, [])
    assert verdict["attempts"] > verdict["runs"]
