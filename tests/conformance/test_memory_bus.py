"""The bus in memory keeps the promises of the port."""

from __future__ import annotations

import pytest
from tests.conformance.bus import BusConformance

from foldline.bus.memory import MemoryBus
from foldline.bus.port import Bus


class TestMemoryBus(BusConformance):
    @pytest.fixture
    async def bus(self) -> Bus:
        return MemoryBus()
