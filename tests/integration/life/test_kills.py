"""An executor killed at each point of an attempt: no orphan, no half artifact, one clear record."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.integration.executor.pids import is_alive
from tests.integration.life.kit import Machine, World, assert_clear, assert_whole, keys, machine, step
from tests.waiting import until

from foldline.artifacts.port import key_of
from foldline.domain.run_events import RunCreated
from foldline.domain.spec import Step

pytestmark = pytest.mark.timeout(300)

SEED = 20260726

Reach = Callable[[World, Machine, RunCreated], Awaitable[object]]


class Point:
    """A point of an attempt's life: the step that has it, how to get there, how to clear the way again."""

    def __init__(
        self,
        make: Callable[[Path], Step],
        reach: Reach,
        *,
        lay: Callable[[World], None] = lambda _: None,
        clear: Callable[[World], None] = lambda _: None,
    ) -> None:
        self.make, self.reach, self.lay, self.clear = make, reach, lay, clear


def waiting(function: str) -> Callable[[Path], Step]:
    return lambda root: step("work", function=function, begun=str(root / "begun"), go=str(root / "go"))


def plain(root: Path) -> Step:
    del root
    return step("work", function="short")


def bundle(world: World) -> Path:
    return world.site.artifacts / key_of(world.site.bundle)


def block(world: World) -> None:
    """Whoever reads the bundle waits for ever."""
    bundle(world).rename(world.root / "bundle.zip")
    os.mkfifo(bundle(world))


def unblock(world: World) -> None:
    bundle(world).unlink()
    (world.root / "bundle.zip").rename(bundle(world))


async def fetching(world: World, one: Machine, run: RunCreated) -> int:
    """The bundle is a pipe that gives nothing: a reader of it is an executor that fetches.

    Returns the other end of the pipe: were it closed now, the executor would have read an empty bundle.
    """

    def other_end() -> int:
        try:
            return os.open(bundle(world), os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            raise AssertionError("nobody reads the bundle") from error

    del one, run
    return await until(other_end, timeout=30)


async def building(world: World, one: Machine, run: RunCreated) -> None:
    """Some hundredths of a second: looked at without a pause. On a busy machine they may be over before they
    were seen; then it is killed just after them, which must be as clean.
    """

    def look() -> None:
        end = time.monotonic() + 30
        while not any(".tmp-" in folder.name for folder in (one.home / "envs").iterdir()):
            if (world.root / "begun").exists():
                return
            assert time.monotonic() < end, "no environment is being built"

    del run
    await asyncio.to_thread(look)


async def running(world: World, one: Machine, run: RunCreated) -> None:
    del one, run
    await until((world.root / "begun").exists, timeout=30)


async def recorded_as_started(world: World, one: Machine, run: RunCreated) -> None:
    del one

    async def started() -> bool:
        return bool(keys(await world.history(run), "AttemptStarted"))

    await until(started, timeout=30)


async def log_kept(world: World, one: Machine, run: RunCreated) -> None:
    del one
    await until(lambda: bool(list((world.site.artifacts / "logs" / run.run_id).rglob("*.jsonl"))), timeout=30)


async def storing(world: World, one: Machine, run: RunCreated) -> None:
    """The step's process has ended, and its gigabyte takes a while to be taken in."""
    del one, run

    def ended() -> bool:
        done = world.root / "done"
        return done.exists() and bool(done.read_text()) and not is_alive(int(done.read_text()))

    await until(ended, timeout=60)


POINTS = {
    "fetching": Point(plain, fetching, lay=block, clear=unblock),
    "building its environment": Point(waiting("waits"), building),
    "running": Point(waiting("waits"), running),
    "running with children": Point(waiting("has_children"), running),
    "recorded as started": Point(waiting("waits"), recorded_as_started),
    "log partly kept": Point(lambda _: step("work", function="long", seconds=4), log_kept),
    "storing": Point(
        lambda root: step("work", function="leaves_much", done=str(root / "done"), size=1024**3), storing
    ),
}


@pytest.mark.parametrize("point", POINTS)
async def test_killed_while(world: World, point: str, tmp_path: Path) -> None:
    at = POINTS[point]
    at.lay(world)
    async with machine(world) as one:
        await world.is_ready(one)
        run = await world.start(at.make(tmp_path))
        held = await at.reach(world, one, run)

        await one.kill()

        if isinstance(held, int):
            os.close(held)
        at.clear(world)
        (tmp_path / "go").touch()
        assert_whole(world.site.artifacts)
        await one.start()
        recorded = await world.finish(run)

    assert recorded[-1].type == "RunCompleted"
    assert_clear(recorded)
    assert keys(recorded, "AttemptFailed") == [("work", 1)]
    assert "EXECUTOR_LOST" in next(one.payload for one in recorded if one.type == "AttemptFailed")
    assert_whole(world.site.artifacts)


async def test_killed_after_its_end_was_written_down(world: World) -> None:
    """No scheduler is there: the report is on the disk and nowhere else."""
    async with machine(world) as one:
        await world.is_ready(one)
        run = await world.start(step("work", function="long", seconds=1))
        await recorded_as_started(world, one, run)
        await world.end()
        await world.until_spooled(one)

        await one.kill()

        await one.start()
        await world.begin()
        recorded = await world.finish(run)
        await until(lambda: not one.spooled, timeout=30)

    assert_clear(recorded)
    assert keys(recorded, "AttemptSucceeded") == [("work", 1)]
    assert_whole(world.site.artifacts)


async def test_killed_after_its_end_was_recorded(world: World) -> None:
    async with machine(world) as one:
        await world.is_ready(one)
        run = await world.start(step("work", function="short"))
        recorded = await world.finish(run)

        await one.kill()

        await one.start()
        await world.is_ready(one)
        assert await world.history(run) == recorded
    assert keys(recorded, "AttemptSucceeded") == [("work", 1)]


@pytest.mark.parametrize("moments", [15, pytest.param(60, marks=pytest.mark.long)])
async def test_killed_at_any_moment(world: World, moments: int) -> None:
    """At moments all over the time that an attempt takes, and somewhat after it."""
    chance = random.Random(SEED)
    async with machine(world) as one:
        await world.is_ready(one)
        begun = time.monotonic()
        await world.finish(await world.start(step("work", function="writes", size=4 * 1024**2)))
        took = time.monotonic() - begun
        lost = 0
        for number in range(moments):
            run = await world.start(step("work", function="writes", size=4 * 1024**2))
            moment = asyncio.sleep(took * 1.1 * (number + chance.random()) / moments)
            await moment

            await one.kill()

            assert_whole(world.site.artifacts)
            await one.start()
            recorded = await world.finish(run)
            assert recorded[-1].type == "RunCompleted"
            assert_clear(recorded)
            lost += len(keys(recorded, "AttemptFailed"))
        await until(lambda: not one.spooled, timeout=30)
    assert lost > 0
    assert_whole(world.site.artifacts)
