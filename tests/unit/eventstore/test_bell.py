"""The bell wakes those whose types of events were committed, and lets the others sleep."""

from __future__ import annotations

import asyncio

import pytest

from foldline.eventstore.bell import Bell, notice

LONG = 60.0
SHORT = 0.01

RUNS = frozenset({"RunCreated", "RunCompleted"})
ASSETS = frozenset({"AssetPublished"})


async def waits(bell: Bell, rings: int, types: frozenset[str] | None) -> asyncio.Task[None]:
    task = asyncio.create_task(bell.wait(rings, LONG, types))
    await asyncio.sleep(0)
    return task


@pytest.mark.parametrize("types", [RUNS, None])
@pytest.mark.parametrize("rung", [["StepScheduled", "RunCompleted"], None])
async def test_it_wakes_who_waits_for_one_of_the_types(
    types: frozenset[str] | None, rung: list[str] | None
) -> None:
    bell = Bell("")
    waiting = await waits(bell, bell.rings, types)

    bell.ring(rung)

    await asyncio.wait_for(waiting, LONG)


async def test_it_lets_sleep_who_waits_for_other_types() -> None:
    bell = Bell("")
    rings = bell.rings
    runs, assets = await waits(bell, rings, RUNS), await waits(bell, rings, ASSETS)

    bell.ring(RUNS)
    await runs

    assert not assets.done()
    bell.ring(ASSETS)
    await assets


@pytest.mark.parametrize("rung", [["RunCreated"], None])
async def test_who_comes_late_for_a_ring_does_not_wait(rung: list[str] | None) -> None:
    bell = Bell("")
    rings = bell.rings
    bell.ring(rung)
    bell.ring(ASSETS)

    await asyncio.wait_for(bell.wait(rings, LONG, RUNS), LONG / 2)


async def test_a_ring_before_the_last_look_wakes_nobody() -> None:
    bell = Bell("")
    bell.ring(["RunCreated"])
    waiting = await waits(bell, bell.rings, RUNS)

    bell.ring(ASSETS)
    await asyncio.sleep(0)

    assert not waiting.done()
    waiting.cancel()


async def test_nobody_waits_for_longer_than_was_said() -> None:
    await asyncio.wait_for(Bell("").wait(0, SHORT, RUNS), LONG)


async def test_a_notice_wakes_those_of_its_types_alone() -> None:
    bell = Bell("")
    runs, assets = await waits(bell, 0, RUNS), await waits(bell, 0, ASSETS)

    bell.hear(notice(["RunCreated", "a type, with spaces"]))
    await runs

    assert not assets.done()
    assets.cancel()


@pytest.mark.parametrize(
    "said", ["", "not JSON", notice([f"{'Type' * 20}{number}" for number in range(500)])]
)
async def test_a_notice_that_does_not_tell_the_types_wakes_everybody(said: str) -> None:
    bell = Bell("")
    waiting = await waits(bell, 0, ASSETS)

    bell.hear(said)

    await asyncio.wait_for(waiting, LONG)
