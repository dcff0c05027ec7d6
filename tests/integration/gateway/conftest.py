"""A gateway in the test's own process, with real sockets on both sides."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.integration.gateway.backend import Backend, serve
from tests.integration.gateway.callers import settings

from foldline.chassis.lifecycle import Lifecycle
from foldline_gateway import app


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
async def ports(backend: Backend) -> AsyncIterator[app.Ports]:
    life = Lifecycle()
    async with serve(backend) as address, app.serve(settings(address), life) as bound:
        life.ready.set()
        yield bound


@pytest.fixture
async def browser(ports: app.Ports) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports.http}", trust_env=False) as client:
        yield client
