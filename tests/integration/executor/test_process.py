"""The executor as a process of its own, on a real NATS: killed, started again, sent away."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.integration.executor.installation import Scheduler, Site, inputs
from tests.integration.executor.pids import all_gone, pids_in
from tests.servers import Running
from tests.waiting import until

from foldline.bus import jetstream
from foldline.cli.stack.nats import EmbeddedNats


class Executor:
    """A child process that tests may kill."""

    def __init__(self, here: Site, nats: str, **settings: str) -> None:
        self._environ = {
            "PATH": os.defpath,
            "HOME": str(here.home),
            "FOLDLINE_NATS": nats,
            "FOLDLINE_ARTIFACTS": str(here.artifacts),
            "FOLDLINE_TOKEN_KEY": "0123456789abcdef0123456789abcdef",
            "FOLDLINE_HOME": str(here.home),
            "FOLDLINE_SLOTS": "4",
            "FOLDLINE_DRAIN_SECONDS": "0.3",
            "FOLDLINE_LOG_FORMAT": "json",
            **settings,
        }
        self._log = here.home.parent / "executor.log"
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> asyncio.subprocess.Process:
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "foldline_executor", env=self._environ, stdout=log, stderr=log
            )
        return self.process

    @property
    def log(self) -> str:
        return self._log.read_text()

    async def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def terminate(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), 30)


@pytest.fixture
async def scheduler(nats_server: str) -> AsyncIterator[Scheduler]:
    async with jetstream.connect(nats_server, name="test") as bus:
        scheduler = Scheduler(bus)
        await scheduler.listen()
        yield scheduler


@asynccontextmanager
async def running(here: Site, nats: str, scheduler: Scheduler, **settings: str) -> AsyncIterator[Executor]:
    executor = Executor(here, nats, **settings)
    await executor.start()
    try:
        await until(lambda: bool(scheduler.beats), timeout=30)
        yield executor
    finally:
        if executor.process is not None and executor.process.returncode is None:
            await executor.kill()


async def test_a_kill_leaves_no_orphan(
    here: Site, nats_server: str, scheduler: Scheduler, tmp_path: Path
) -> None:
    async with running(here, nats_server, scheduler) as executor:
        await scheduler.order(here.work("stubborn", inputs=inputs(path=str(tmp_path / "pids"))))
        pids = await pids_in(tmp_path / "pids")

        await executor.kill()

        await until(lambda: all_gone(pids))


async def test_a_restarted_executor_says_whom_it_replaces(
    here: Site, nats_server: str, scheduler: Scheduler
) -> None:
    async with running(here, nats_server, scheduler) as executor:
        first = scheduler.session
        await executor.kill()
        await executor.start()
        await until(lambda: scheduler.session != first, timeout=30)

        assert scheduler.beats[-1].replaces == first
        assert scheduler.beats[-1].slots == 4


async def test_the_report_of_an_ended_attempt_survives_a_kill(
    here: Site, nats_server: str, scheduler: Scheduler
) -> None:
    async with running(here, nats_server, scheduler) as executor:
        scheduler.is_acknowledging = False
        work = here.work("add", inputs=inputs(a=1, b=2))
        first = scheduler.session
        await scheduler.order(work)
        await scheduler.ended(work)
        await until(lambda: bool(list((here.home / "spool").iterdir())))  # nobody takes it soon
        await executor.kill()
        scheduler.reports.clear()
        scheduler.beats.clear()
        scheduler.is_acknowledging = True
        await executor.start()
        report = await scheduler.ended(work)

        assert (report.session, report.kind) == (first, "succeeded")
        assert report.outputs["output"].value == 3
        await until(lambda: not list((here.home / "spool").iterdir()))
        assert not scheduler.beats or work.key not in scheduler.beats[-1].held


async def test_a_report_is_repeated_until_it_is_acknowledged(
    here: Site, nats_server: str, scheduler: Scheduler
) -> None:
    async with running(here, nats_server, scheduler):
        scheduler.is_acknowledging = False
        work = here.work("nothing")
        await scheduler.order(work)
        await until(lambda: scheduler.kinds(work).count("succeeded") > 2)
        assert work.key in scheduler.beats[-1].held

        scheduler.is_acknowledging = True
        await until(lambda: work.key not in scheduler.beats[-1].held)
        assert list((here.home / "spool").iterdir()) == []


async def test_sigterm_lets_short_attempts_end_and_stops_long_ones(
    here: Site, nats_server: str, scheduler: Scheduler, tmp_path: Path
) -> None:
    async with running(here, nats_server, scheduler) as executor:
        work = here.work("wait", inputs=inputs(path=str(tmp_path / "running")))
        await scheduler.order(work)
        await until((tmp_path / "running").exists, timeout=30)

        assert await executor.terminate() == 0

    failure = await scheduler.failure(work)
    assert (failure.kind, failure.reason) == ("infrastructure", "EXECUTOR_LEFT")
    await until(lambda: scheduler.beats[-1].leaving)
    assert any(beat.draining and not beat.leaving for beat in scheduler.beats)


async def test_a_home_belongs_to_one_executor(here: Site, nats_server: str, scheduler: Scheduler) -> None:
    async with running(here, nats_server, scheduler) as executor:
        second = Executor(here, nats_server)
        process = await second.start()

        assert await asyncio.wait_for(process.wait(), 30) == 1
        assert f"another executor uses {here.home}" in executor.log


async def test_a_step_goes_on_without_nats_and_its_report_comes_later(
    here: Site, own_nats: Running[EmbeddedNats], scheduler: Scheduler, tmp_path: Path
) -> None:
    async with running(here, own_nats.server.url, scheduler):
        work = here.work(
            "until_there", inputs=inputs(path=str(tmp_path / "go"), begun=str(tmp_path / "begun"))
        )
        await scheduler.order(work)
        await until((tmp_path / "begun").exists, timeout=30)

        own_nats.kill()
        (tmp_path / "go").touch()
        await until(lambda: list((here.home / "spool").glob("*.json")) != [], timeout=30)
        await asyncio.to_thread(own_nats.start)

        assert (await scheduler.ended(work)).kind == "succeeded"
        await until(lambda: list((here.home / "spool").iterdir()) == [], timeout=30)


async def test_many_attempts_at_once_all_end_well(here: Site, nats_server: str, scheduler: Scheduler) -> None:
    async with running(here, nats_server, scheduler):
        orders = [here.work("add", inputs=inputs(a=number, b=0)) for number in range(200)]
        for work in orders:
            await scheduler.order(work)

        values = [await scheduler.value(work) for work in orders]

    assert values == list(range(200))
