"""The catalogue of events is what the protos' comments say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from foldline.wire.events import TYPES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "events.md"


def test_the_page_of_events_is_what_the_protos_print() -> None:
    printed = subprocess.run(
        [sys.executable, "docs/generate_events.py"], cwd=ROOT, check=True, capture_output=True, text=True
    )

    assert PAGE.read_text() == printed.stdout, "run `python docs/generate_events.py --write`"


def test_every_event_has_its_place_on_the_page_and_says_something() -> None:
    text = PAGE.read_text()

    for name in TYPES:
        _, found, rest = text.partition(f"\n### {name}\n\n")
        assert found, name
        assert rest[0] != "\n", f"{name} has no comment"
