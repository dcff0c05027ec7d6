"""The bus over NATS keeps the promises of the port."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.conformance.bus import BusConformance

from foldline.bus import jetstream
from foldline.bus.port import Bus


class TestJetStreamBus(BusConformance):
    @pytest.fixture
    async def bus(self, nats_server: str) -> AsyncIterator[Bus]:
        async with jetstream.connect(nats_server, name="test") as connected:
            yield connected
