"""The ledger in Postgres keeps the promises of the port."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.conformance.event_store import EventStoreConformance

from foldline.eventstore.port import EventStore
from foldline.eventstore.postgres import PostgresEventStore
from foldline.pg import connect


class TestPostgresEventStore(EventStoreConformance):
    @pytest.fixture
    async def store(self, database: str) -> AsyncIterator[EventStore]:
        async with (
            connect.pool(database, role="foldline_scheduler", name="test") as pool,
            PostgresEventStore(pool, database) as opened,
        ):
            yield opened
