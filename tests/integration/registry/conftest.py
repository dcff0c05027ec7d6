"""The registry under test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.registry.installation import Client, Installation, installation


@pytest.fixture
async def registry(database: str, tmp_path: Path) -> AsyncIterator[Installation]:
    """With the workspaces lab and team."""
    async with installation(database, tmp_path / "artifacts") as opened:
        admin = await opened.client()
        await admin.make_workspace("lab")
        await admin.make_workspace("team")
        yield opened


@pytest.fixture
async def lab(registry: Installation) -> Client:
    """A publisher in workspace lab."""
    return await registry.client(subject="lise", lab="publisher")


@pytest.fixture
async def team(registry: Installation) -> Client:
    """A developer in workspace team."""
    return await registry.client(subject="tom", team="developer")
