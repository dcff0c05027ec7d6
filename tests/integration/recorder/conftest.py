"""The recorder that these tests ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.recorder.desk import Desk, open_desk


@pytest.fixture
async def desk(database: str, nats_server: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(database, nats_server, tmp_path / "artifacts") as opened:
        yield opened
