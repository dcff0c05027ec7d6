"""Disks that fill up, messages that are too large, orders that nobody can read: a clear end each time."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.integration.executor.installation import Scheduler
from tests.integration.life.kit import World, assert_clear, keys, machine, step
from tests.waiting import until

from foldline.bus import subjects
from foldline.chassis import background
from foldline.domain.run_events import RunCreated
from foldline.domain.work import Report
from foldline_executor.reports import Reports

pytestmark = pytest.mark.timeout(180)

MIB = 1024**2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_an_executor_whose_disk_is_almost_full_waits_for_room(world: World, small_disk: Path) -> None:
    async with machine(world, home=small_disk / "home", disk_free="32MiB") as one:
        await until(lambda: set(world.states().values()) == {"ready"}, timeout=60)
        fill(small_disk / "fill", 48)
        await until(lambda: set(world.states().values()) == {"closed"}, timeout=30)
        run = await world.start(step("work", function="short"))

        async def explained() -> None:
            message = (await world.why_waiting(run))["work"]
            assert "takes work now: ex has " in message
            assert f"MiB free on the disk of {small_disk}" in message
            assert "takes work from" in message

        await until(explained)
        assert keys(await world.history(run), "StepScheduled") == []

        (small_disk / "fill").unlink()
        recorded = await world.finish(run)

    assert recorded[-1].type == "RunCompleted"
    assert "disk_short" in one.log


async def test_what_was_fetched_goes_before_work_is_refused(world: World, small_disk: Path) -> None:
    """Inputs that were not used for a while can be fetched again."""
    home = small_disk / "home"
    (home / "artifacts").mkdir(parents=True)
    fill(home / "artifacts" / "old", 48)
    os.utime(home / "artifacts" / "old", (0, 0))
    async with machine(world, home=home, disk_free="32MiB"):
        await until(lambda: set(world.states().values()) == {"ready"}, timeout=60)

    assert not (home / "artifacts" / "old").exists()


async def test_a_step_that_meets_a_full_disk_is_no_fault_of_its_author(
    world: World, small_disk: Path
) -> None:
    async with machine(world) as one:
        await world.is_ready(one)
        run = await world.start(step("work", function="fills", path=str(small_disk / "large")))
        failed = await first_failure(world, run)

    assert (failed["kind"], failed["reason"]) == ("infrastructure", "DISK_FULL")
    assert "the disk of the executor's machine was full while the step ran" in failed["message"]
    assert "No space left on device" in failed["message"]


async def test_outputs_that_the_store_does_not_take_cost_the_author_nothing(world: World) -> None:
    """The step may run once as far as its author says; the second attempt is the platform's."""
    partial, aside = world.site.artifacts / "partial", world.site.artifacts / "aside"
    async with machine(world, store_patience_seconds=0.2) as one:
        await world.is_ready(one)
        values = {"begun": str(world.root / "begun"), "go": str(world.root / "go")}
        run = await world.start(step("work", function="waits", **values))
        await until((world.root / "begun").exists, timeout=30)
        partial.rename(aside)
        (world.root / "go").touch()
        failed = await first_failure(world, run)
        aside.rename(partial)
        recorded = await world.finish(run)

    assert failed["kind"] == "infrastructure"
    assert recorded[-1].type == "RunCompleted"
    assert_clear(recorded)


async def test_a_report_that_is_too_large_fails_its_attempt(world: World, tmp_path: Path) -> None:
    scheduler = await listening(world)
    async with background.tasks() as tasks:
        reports = Reports(world.platform.bus, tmp_path, tasks)
        work = world.site.work("short")
        digests = tuple(f"sha256:{number:064x}" for number in range(130_000))
        reports.send(Report(key=work.key, session="s", kind="succeeded", reads=digests), 0)

        failure = await scheduler.failure(work)

    assert (failure.kind, failure.reason) == ("invalid", "REPORT_TOO_LARGE")
    assert reports.ended == [work.key]


async def test_an_order_that_cannot_be_read_fails_its_attempt_and_is_parked(world: World) -> None:
    async with machine(world) as one:
        await world.is_ready(one)
        await world.end()  # it would stop what it does not know
        scheduler = await listening(world)
        await until(lambda: bool(scheduler.beats), timeout=30)
        work = world.site.work("short")
        raw = msgspec.json.decode(msgspec.json.encode(work))
        raw["outputs"] = "a newer way to say it"
        for _ in range(2):
            await world.platform.bus.publish(subjects.work(one.session), msgspec.json.encode([raw]))
        failure = await scheduler.failure(work)
        other = msgspec.structs.replace(world.site.work("short"), environment="")
        await scheduler.order(other)
        assert await scheduler.value(other) == 1

    assert (failure.kind, failure.reason) == ("infrastructure", "ORDER_UNREADABLE")
    assert [subjects.work(one.session)] == [
        one.subject for one in await world.platform.bus.parked(10) if one.subject.startswith("foldline.work")
    ]


async def test_an_order_that_is_too_large_fails_its_attempt(world: World) -> None:
    async with machine(world) as one:
        await world.is_ready(one)
        values = {f"v{number}": "x" * 60_000 for number in range(160)}
        run = await world.start(step("work", function="echo", **values))
        recorded = await world.finish(run)

    assert recorded[-1].type == "RunFailed"
    assert_clear(recorded)
    failed = await first_failure(world, run)
    assert (failed["kind"], failed["reason"]) == ("invalid", "ORDER_TOO_LARGE")
    assert "what the step is given is too much for one work order" in failed["message"]


def fill(path: Path, mebibytes: int) -> None:
    path.write_bytes(b"\0" * (mebibytes * MIB))


async def listening(world: World) -> Scheduler:
    """Hears and acknowledges reports, as an owner of runs would."""
    scheduler = Scheduler(world.platform.bus)
    await scheduler.listen()
    return scheduler


async def first_failure(world: World, run: RunCreated) -> dict[str, Any]:
    async def failed() -> dict[str, Any]:
        found = [event.payload for event in await world.history(run) if event.type == "AttemptFailed"]
        assert found
        failure: dict[str, Any] = json.loads(found[0])["failure"]
        return failure

    return await until(failed, timeout=60)
