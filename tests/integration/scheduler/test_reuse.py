"""Taking over what equal attempts gave: declared caching, on a real table, ledger and bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace
from tests.integration.scheduler.installation import (
    META,
    Platform,
    count,
    created,
    ended,
    history,
    owner,
)
from tests.integration.scheduler.scripted import ScriptedExecutor, beating
from tests.unit.domain.test_forms import call, graph
from tests.waiting import until

from foldline.domain.commands import CreateRun
from foldline.domain.failures import Failure
from foldline.domain.run_events import RunCreated
from foldline.domain.spec import Graph
from foldline.domain.work import Work
from foldline_scheduler.owner import Owner

RAISED = Failure(kind="user", reason="STEP_RAISED", message="no")


def cached(x: int = 1) -> Graph:
    return graph(replace(call("slow", x=x), cache=True))


async def start(one: Owner, declared: Graph, cache: str = "") -> RunCreated:
    run = replace(created(declared), cache=cache)
    await one.command(run.run_id, CreateRun(run), META)
    return run


async def reason(platform: Platform, run: RunCreated) -> str:
    """What the record says of the decision."""
    recorded = await history(platform, run)
    found = [one.payload for one in recorded if one.type in ("StepReused", "ReuseDeclined")]
    assert len(found) == 1
    return found[0]


async def test_an_equal_attempt_of_another_run_is_taken_over(platform: Platform) -> None:
    async with owner(platform) as one:
        executor = await ScriptedExecutor(platform.bus, "ex").start()
        first = await start(one, cached())
        await beating(executor, ended(platform, first))
        second = await start(one, cached())
        other = await start(one, cached(x=2))
        for run in (second, other):
            await beating(executor, ended(platform, run))

    assert [work.key.run_id for work in executor.orders] == [first.run_id, other.run_id]
    assert f"equal attempt in run {first.run_id}" in await reason(platform, second)
    assert "no equal attempt is known" in await reason(platform, other)


async def test_of_equal_attempts_under_way_one_runs_and_the_others_wait(platform: Platform) -> None:
    async with owner(platform) as one:
        executor = await ScriptedExecutor(platform.bus, "ex", slots=10, answers=False).start()
        runs = [await start(one, cached()) for _ in range(5)]
        await until(lambda: len(one.recalls.waiting) == 4)
        assert len(executor.orders) == 1

        executor.answers = True
        await executor.end(executor.orders[0])
        for run in runs:
            await beating(executor, ended(platform, run))

    assert len(executor.orders) == 1


async def test_when_the_one_that_ran_fails_the_next_one_runs(platform: Platform) -> None:
    fails = [True, False]

    def behave(_: Work) -> Mapping[str, Any] | Failure:
        return RAISED if fails.pop(0) else {"output": 7}

    async with owner(platform) as one:
        executor = await ScriptedExecutor(platform.bus, "ex", answers=False, behave=behave).start()
        first = await start(one, cached())
        await until(lambda: bool(executor.orders))  # both are looked up at once otherwise, and either may run
        second = await start(one, cached())
        await until(lambda: len(one.recalls.waiting) == 1)
        executor.answers = True
        await executor.end(executor.orders[0])
        await beating(executor, ended(platform, first, "RunFailed"))
        await beating(executor, ended(platform, second))

    assert len(executor.orders) == 2


async def test_workspaces_take_nothing_over_from_each_other(platform: Platform) -> None:
    async with owner(platform) as one:
        executor = await ScriptedExecutor(platform.bus, "ex").start()
        first = await start(one, cached())
        await beating(executor, ended(platform, first))
        other = replace(created(cached()), workspace="other")
        await one.command(other.run_id, CreateRun(other), replace(META, workspace="other"))
        await beating(executor, ended(platform, other))

    assert len(executor.orders) == 2


@pytest.mark.parametrize("mode", ["off", "refresh"])
async def test_a_run_may_do_without_the_cache(platform: Platform, mode: str) -> None:
    async with owner(platform) as one:
        executor = await ScriptedExecutor(platform.bus, "ex").start()
        for run in [await start(one, cached()), await start(one, cached(), mode)]:
            await beating(executor, ended(platform, run))

    assert len(executor.orders) == 2


async def test_a_run_that_only_reads_gives_nothing_to_others(platform: Platform) -> None:
    async with owner(platform) as one:
        executor = await ScriptedExecutor(platform.bus, "ex").start()
        first = await start(one, cached(), "read_only")
        await beating(executor, ended(platform, first))
        second = await start(one, cached())
        await beating(executor, ended(platform, second))
        third = await start(one, cached(), "read_only")
        await beating(executor, ended(platform, third))

    assert len(executor.orders) == 2
    assert count(await history(platform, third), "StepReused") == 1


async def test_a_claim_whose_owner_died_is_the_runs_still(platform: Platform) -> None:
    async with owner(platform) as one:
        executor = await ScriptedExecutor(platform.bus, "ex", answers=False).start()
        first = await start(one, cached())
        await until(lambda: bool(executor.orders))
    executor.answers = True
    async with owner(platform) as two:
        second = await start(two, cached())
        await until(lambda: bool(two.recalls.waiting))
        await two.adopt([first.run_id])
        for run in (first, second):
            await beating(executor, ended(platform, run))

    assert {work.key.run_id for work in executor.orders} == {first.run_id}
