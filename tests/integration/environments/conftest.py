"""A machine on which packages come from a folder of the test alone, with a cache of uv's of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.integration.environments.building import Builder
from tests.packages import Packages

from foldline.domain.spec import Environment


@pytest.fixture(autouse=True)
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    packages = Packages(tmp_path / "packages")
    for name in list(os.environ):  # noqa: TID251 - what the developer's machine says is not to matter
        if name.startswith(("UV_", "PIP_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_FIND_LINKS", str(packages.folder))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.chdir(tmp_path)
    return packages


StartBuilder = Callable[[Environment], Awaitable[Builder]]


@pytest.fixture
async def start_builder(root: Path) -> AsyncIterator[StartBuilder]:
    """Starts processes that build; none of them outlives the test."""
    started: list[Builder] = []

    async def start(environment: Environment) -> Builder:
        started.append(await Builder.start(environment, root))
        return started[-1]

    yield start
    for builder in started:
        await builder.kill()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where environments are."""
    return tmp_path / "environments"
