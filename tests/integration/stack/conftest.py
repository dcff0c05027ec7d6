"""What tests of the supervisor stand on."""

from __future__ import annotations

from pathlib import Path

import pytest

from foldline.cli.stack.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.create()
    return made
