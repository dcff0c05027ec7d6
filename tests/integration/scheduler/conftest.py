"""Fixtures of the scheduler's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.scheduler.installation import Platform, opened
from tests.integration.scheduler.starters import Place, place

from foldline.bus import jetstream
from foldline.eventstore.postgres import PostgresEventStore
from foldline.pg import connect


@pytest.fixture
async def platform(database: str, nats_server: str, tmp_path: Path) -> AsyncIterator[Platform]:
    async with opened(database, nats_server, tmp_path) as one:
        yield one


@pytest.fixture
async def here(database: str, nats_server: str) -> AsyncIterator[Place]:
    """A scheduler's surroundings, with a registry that is scripted."""
    async with (
        connect.pool(database, role="foldline_scheduler", name="test") as pool,
        PostgresEventStore(pool, database) as store,
        jetstream.connect(nats_server, name="test") as bus,
        place(pool, store, bus) as made,
    ):
        yield made
