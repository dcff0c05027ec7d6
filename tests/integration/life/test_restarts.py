"""Drain, rolling restart and upgrade: executors come and go, and no attempt is lost."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.integration.executor.installation import Scheduler
from tests.integration.life.kit import ENDS, World, assert_clear, keys, machine, step
from tests.waiting import until

from foldline.domain.errors import FoldlineError
from foldline.eventstore.port import Recorded

pytestmark = pytest.mark.timeout(180)

STEPS = 60


def waiting(root: Path, name: str = "work") -> dict[str, str]:
    return {"begun": str(root / f"{name}-begun"), "go": str(root / f"{name}-go")}


async def test_a_drained_executor_takes_nothing_new_until_it_is_resumed(world: World, tmp_path: Path) -> None:
    async with machine(world) as one:
        await world.is_ready(one)
        first = await world.start(step("work", function="waits", **waiting(tmp_path)))
        await until((tmp_path / "work-begun").exists, timeout=30)

        assert await world.roster.drain("ex", undo=False) == [one.session]
        await until(lambda: world.states()[one.session] == "draining")
        second = await world.start(step("later", function="short"))
        (tmp_path / "work-go").touch()
        assert (await world.finish(first))[-1].type == "RunCompleted"
        assert keys(await world.history(second), "StepScheduled") == []
        reasons = await world.why_waiting(second)
        assert reasons == {
            "later": "no executor in pool default of region local takes work now: ex is draining"
        }

        await world.roster.drain(one.session, undo=True)
        recorded = await world.finish(second)

    assert_clear(recorded)
    assert recorded[-1].type == "RunCompleted"


async def test_an_executor_that_is_not_there_cannot_be_drained(world: World) -> None:
    async with machine(world) as one:
        await world.is_ready(one)
        with pytest.raises(FoldlineError, match="there is no executor 'nobody'; heard of are ex"):
            await world.roster.drain("nobody", undo=False)


async def test_a_rolling_restart_under_load_loses_nothing(world: World) -> None:
    """Three executors are restarted one after the other while sixty short steps run."""
    async with machine(world, "a") as a, machine(world, "b") as b, machine(world, "c") as c:
        await world.is_ready(a, b, c)
        steps = [step(f"s{number}", function="long", seconds=0.5) for number in range(STEPS)]
        run = await world.start(*steps)
        for one in (a, b, c):
            assert await one.terminate() == 0
            await one.start()
            await world.is_ready(one)
        assert len(keys(await world.history(run), *ENDS)) < STEPS, "the load was over before the restarts"
        recorded = await world.finish(run)

    assert recorded[-1].type == "RunCompleted"
    assert_clear(recorded)
    assert keys(recorded, "AttemptFailed") == []
    assert len(keys(recorded, "AttemptStarted")) == STEPS
    assert {a.session, b.session} <= set(sessions(recorded))


async def test_work_that_was_given_before_the_drain_was_heard_is_carried_out(world: World) -> None:
    async with machine(world) as one:
        await world.is_ready(one)
        await world.end()  # it would stop what it does not know
        scheduler = Scheduler(world.platform.bus)
        await scheduler.listen()
        ending = asyncio.create_task(one.terminate())
        await until(lambda: any(beat.draining for beat in scheduler.beats), timeout=30)
        work = replace(world.site.work("short"), environment="")
        await scheduler.order(work)

        assert await scheduler.value(work) == 1
        assert await ending == 0


async def test_an_upgrade_beside_the_old_one_takes_over(world: World, tmp_path: Path) -> None:
    """The new one comes first, then the old one is sent away; what that runs it finishes."""
    async with machine(world, "old", slots=1) as old:
        await world.is_ready(old)
        run = await world.start(
            step("first", function="waits", **waiting(tmp_path, "first")),
            step("second", "first", function="short"),
        )
        await until((tmp_path / "first-begun").exists, timeout=30)
        async with machine(world, "new") as new:
            await world.is_ready(new)
            await world.roster.drain("old", undo=False)
            await until(lambda: world.states()[old.session] == "draining")
            (tmp_path / "first-go").touch()
            recorded = await world.finish(run)
            assert await old.terminate() == 0

    assert_clear(recorded)
    assert keys(recorded, "StepScheduled") == [("first", 1), ("second", 1)]
    assert sessions(recorded) == [old.session, new.session]


async def test_a_long_attempt_is_moved_when_the_patience_is_over(world: World, tmp_path: Path) -> None:
    async with machine(world, "old", drain_seconds=0.5) as old:
        await world.is_ready(old)
        run = await world.start(step("work", function="waits", **waiting(tmp_path)))
        await until((tmp_path / "work-begun").exists, timeout=30)
        async with machine(world, "new") as new:
            await world.is_ready(new)
            assert await old.terminate() == 0
            (tmp_path / "work-go").touch()
            recorded = await world.finish(run)

    assert recorded[-1].type == "RunCompleted"
    assert_clear(recorded)
    failed = next(one.payload for one in recorded if one.type == "AttemptFailed")
    assert "EXECUTOR_LEFT" in failed


def sessions(recorded: list[Recorded]) -> list[str]:
    return [json.loads(one.payload)["executor"] for one in recorded if one.type == "StepScheduled"]
