"""Fixtures of the scheduler's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.scheduler.installation import Platform, opened


@pytest.fixture
async def platform(database: str, nats_server: str, tmp_path: Path) -> AsyncIterator[Platform]:
    async with opened(database, nats_server, tmp_path) as one:
        yield one
