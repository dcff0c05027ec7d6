"""Ray through its Jobs API keeps the promises of the port, on a real cluster of this machine.

Each attempt costs seconds: `make test-ray` runs these, nothing else does.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.conformance.backends.bench import Bench, bare_environment
from tests.conformance.backends.clusters import TOKEN, Cluster, cluster
from tests.conformance.backends.suite import BackendConformance, failure_of
from tests.waiting import until

from foldline.domain.errors import FoldlineError
from foldline.runtime.jobs import Limits
from foldline_executor.ray.jobs import RayJobs, submission_of

pytest.importorskip("ray", reason="Ray is not installed; make test-ray makes an environment that has it")

ENVIRON = {"PATH": "/usr/bin:/bin"}


@pytest.fixture(scope="module")
def here() -> Iterator[Cluster]:
    with cluster(dashboard=True) as found:
        yield found


def backend(root: Path, where: Cluster, *, token: str = "", place_seconds: float = 60.0) -> RayJobs:
    token = token or TOKEN
    return RayJobs(root / "ray", where.dashboard, token, place_seconds=place_seconds, environ=ENVIRON)


@pytest.fixture
async def bench(tmp_path: Path, here: Cluster) -> AsyncIterator[Bench]:
    async with backend(tmp_path, here) as opened:
        yield Bench(tmp_path, opened, await bare_environment(tmp_path))


class TestRayJobs(BackendConformance):
    pass


async def test_what_is_submitted_twice_runs_once(bench: Bench) -> None:
    job = bench.job("add", a=1, b=2)

    assert submission_of(job) == submission_of(dataclasses.replace(job, run_seconds=1.0))
    assert submission_of(job) != submission_of(bench.job("add", a=1, b=2))


async def test_no_room_in_time(tmp_path: Path, here: Cluster) -> None:
    async with backend(tmp_path, here, place_seconds=0.1) as opened:
        bench = Bench(tmp_path, opened, await bare_environment(tmp_path))
        outcome = await bench.run(dataclasses.replace(bench.job("mute"), limits=Limits(cpu=64)))

    assert failure_of(outcome) == "NO_ROOM"


async def test_stopping_what_waits_for_room(bench: Bench) -> None:
    job = dataclasses.replace(bench.job("mute"), limits=Limits(cpu=64))
    task = asyncio.create_task(bench.run(job))
    await until(lambda: bench.backend.stop(job.key))

    assert failure_of(await task) == "STEP_STOPPED"


async def test_without_the_token_nobody_gets_in(tmp_path: Path, here: Cluster) -> None:
    with pytest.raises(FoldlineError, match="lets this executor in"):
        async with backend(tmp_path, here, token="0" * 64):
            pass
