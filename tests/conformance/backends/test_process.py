"""The backend of processes keeps the promises of the port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.conformance.backends.bench import Bench, bare_environment
from tests.conformance.backends.suite import BackendConformance

from foldline.runtime.launcher import Launcher

pytestmark = pytest.mark.usefixtures("only_our_kills")

ENVIRON = {"PATH": "/usr/bin:/bin"}


class TestProcesses(BackendConformance):
    @pytest.fixture
    async def bench(self, tmp_path: Path) -> AsyncIterator[Bench]:
        async with Launcher(tmp_path / "launcher", environ=ENVIRON) as launcher:
            yield Bench(tmp_path, launcher, await bare_environment(tmp_path))
