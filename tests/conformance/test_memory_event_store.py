"""The ledger in memory keeps the promises of the port."""

from __future__ import annotations

import pytest
from tests.conformance.event_store import EventStoreConformance

from foldline.eventstore.memory import MemoryEventStore
from foldline.eventstore.port import EventStore


class TestMemoryEventStore(EventStoreConformance):
    @pytest.fixture
    def store(self) -> EventStore:
        return MemoryEventStore()
