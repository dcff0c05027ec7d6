"""Pages that are printed from code are committed as printed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_state_machine_page_is_what_its_tables_print() -> None:
    printed = subprocess.run(
        [sys.executable, "docs/generate_state_machine.py"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )

    assert (ROOT / "docs" / "state-machine.md").read_text() == printed.stdout
