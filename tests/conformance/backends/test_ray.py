"""The backend of Ray keeps the promises of the port, on a real cluster of this machine; and what is its own.

Ray is an extra: these tests are skipped where it is not installed. `make test-ray` makes an environment for
them.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import pickle
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.conformance.backends.bench import Bench, bare_environment
from tests.conformance.backends.clusters import Cluster, cluster
from tests.conformance.backends.suite import BackendConformance, failure_of
from tests.waiting import until

from foldline.runtime.jobs import Job, Limits
from foldline_executor.ray import RayCluster, Terms

pytest.importorskip("ray", reason="Ray is not installed; make test-ray makes an environment that has it")

# Ray's own, of which none is ours to answer for.
pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ENVIRON = {"PATH": "/usr/bin:/bin"}

DRIVER = """
import asyncio, pickle, sys
from foldline_executor.ray import RayCluster
folder, terms, job = pickle.loads(bytes.fromhex(sys.argv[1]))

async def main():
    async with RayCluster(folder, terms, environ={"PATH": "/usr/bin:/bin"}) as backend:
        async def hear(lines):
            pass
        await backend.run(job, hear)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def here() -> Iterator[Cluster]:
    with cluster() as found:
        yield found


@pytest.fixture
async def bench(tmp_path: Path, here: Cluster) -> AsyncIterator[Bench]:
    async with opened(tmp_path, here) as bench:
        yield bench


class opened:  # noqa: N801 - a context manager, used like a function
    def __init__(self, root: Path, where: Cluster, **changes: Any) -> None:
        self._root = root
        self._backend = RayCluster(root / "ray", Terms(address=where.address, **changes), environ=ENVIRON)

    async def __aenter__(self) -> Bench:
        python = await bare_environment(self._root)
        return Bench(self._root, await self._backend.__aenter__(), python)

    async def __aexit__(self, *error: Any) -> None:
        await self._backend.__aexit__(*error)


class TestRay(BackendConformance):
    pass


async def test_ranks_know_each_other(bench: Bench) -> None:
    job = dataclasses.replace(bench.job("environment"), ranks=3)

    outcome = await bench.run(job)

    assert outcome.failure is None, outcome.failure
    text = outcome.outputs["output"].text
    assert text is not None
    found = json.loads(text)
    assert (found["RANK"], found["WORLD_SIZE"], found["LOCAL_WORLD_SIZE"]) == ("0", "3", "3")
    assert found["MASTER_ADDR"]
    assert int(found["MASTER_PORT"]) > 0


async def test_a_rank_that_fails_ends_the_others(bench: Bench) -> None:
    outcome = await bench.run(dataclasses.replace(bench.job("first_rank_fails"), ranks=2))

    assert failure_of(outcome) == "STEP_RAISED"
    assert outcome.failure is not None
    assert "rank 0 of 2" in outcome.failure.message
    await until(lambda: bench.left() == [])


async def test_ranks_that_are_all_silent_are_ended(bench: Bench) -> None:
    job = dataclasses.replace(bench.job("mute"), ranks=2, silence_seconds=0.5)

    assert failure_of(await bench.run(job)) == "STEP_SILENT"


async def test_one_rank_that_is_heard_speaks_for_all(bench: Bench) -> None:
    # A busy machine may take seconds to bring what rank 0 says; it says so for longer than that.
    job = dataclasses.replace(bench.job("first_rank_talks"), ranks=2, silence_seconds=5.0)

    assert (await bench.run(job)).failure is None


async def test_ranks_start_together_or_not_at_all(tmp_path: Path, here: Cluster) -> None:
    async with opened(tmp_path, here, place_seconds=0.5) as bench:
        outcome = await bench.run(dataclasses.replace(bench.job("add", a=1, b=2), ranks=5))

    assert failure_of(outcome) == "NO_ROOM"
    assert outcome.failure is not None
    assert "1 CPU for each of 5 ranks" in outcome.failure.message


async def test_stopping_what_waits_for_room(bench: Bench) -> None:
    job = dataclasses.replace(bench.job("mute"), limits=Limits(cpu=64))
    task = asyncio.create_task(bench.run(job))
    await until(lambda: bench.backend.stop(job.key))

    assert failure_of(await task) == "STEP_STOPPED"
    assert (await bench.run(bench.job("add", a=1, b=2))).failure is None


async def test_graphics_processors_are_given_to_one_attempt_each(bench: Bench) -> None:
    jobs = [dataclasses.replace(bench.job("visible_gpu"), gpus=1) for _ in range(2)]

    outcomes = await asyncio.gather(*map(bench.run, jobs))

    assert {outcome.outputs["output"].text for outcome in outcomes} == {'"0"', '"1"'}


async def test_an_outpost_that_is_killed_takes_its_steps_along_and_comes_back(bench: Bench) -> None:
    job = bench.job("stubborn", path="begun")
    task = asyncio.create_task(bench.run(job))
    await until((job.folder / "begun").exists, timeout=60)

    for process in psutil.process_iter():
        if "ray::Outpost" in " ".join(process.cmdline()):
            process.kill()

    outcome = await task
    assert outcome.failure is not None
    assert outcome.failure.kind == "infrastructure"
    await until(lambda: bench.left() == [])
    assert (await bench.run(bench.job("add", a=1, b=2))).failure is None


async def test_an_executor_that_is_killed_leaves_nothing(tmp_path: Path, here: Cluster) -> None:
    _, process, bench = await driving(tmp_path, here)

    process.send_signal(signal.SIGKILL)
    await process.wait()

    await until(lambda: bench.left() == [], timeout=60)


async def driving(root: Path, where: Cluster) -> tuple[Job, asyncio.subprocess.Process, Bench]:
    """A process of its own with an attempt that is well on its way."""
    bench = Bench(root, RayCluster(root, Terms(), environ={}), await bare_environment(root))
    job = bench.job("stubborn", path="begun")
    order = pickle.dumps((root / "driver", Terms(address=where.address), job)).hex()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", DRIVER, order)
    await until((job.folder / "begun").exists, timeout=60)
    return job, process, bench


async def test_without_the_token_nobody_gets_in(tmp_path: Path, here: Cluster) -> None:
    order = pickle.dumps((tmp_path / "driver", Terms(address=here.address), None)).hex()
    environ = {"PATH": "/usr/bin:/bin", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DRIVER, order, env=environ, stderr=asyncio.subprocess.PIPE
    )

    _, errors = await asyncio.wait_for(process.communicate(), 120)

    assert process.returncode == 1
    assert b"lets this executor in" in errors


async def test_a_node_that_dies_takes_its_steps_along(tmp_path: Path) -> None:
    with cluster() as found:
        _, process, bench = await driving(tmp_path, found)

        found.kill("raylet")

        await until(lambda: bench.left() == [], timeout=60)
        process.kill()
        await process.wait()
