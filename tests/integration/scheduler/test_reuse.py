"""Taking over what equal attempts gave: declared caching, on a real table, ledger and bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
import msgspec
import pytest
from msgspec.structs import replace
from tests.integration.scheduler.installation import (
    META,
    Platform,
    count,
    created,
    ended,
    engine,
    history,
    owner,
)
from tests.integration.scheduler.scripted import ScriptedExecutor, beating
from tests.unit.domain.test_forms import call, graph, map_step, ref
from tests.waiting import until

from foldline.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb
from foldline.chassis.clock import new_id
from foldline.domain.artifacts import Artifact
from foldline.domain.commands import CreateRun
from foldline.domain.failures import Failure
from foldline.domain.fork import Edits, fork
from foldline.domain.run_events import RunCreated
from foldline.domain.spec import Binding, Graph, Parameter
from foldline.domain.work import Work
from foldline.wire import messages
from foldline_scheduler.owner import Owner

RAISED = Failure(kind="user", reason="STEP_RAISED", message="no")


def cached(x: int = 1) -> Graph:
    return graph(replace(call("slow", x=x), cache=True))


async def start(one: Owner, declared: Graph, cache: str = "", **parameters: Any) -> RunCreated:
    run = replace(created(declared), cache=cache, parameters=parameters)
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
        for cache in ("", mode):
            run = await start(one, cached(), cache)
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


async def test_a_fork_takes_from_the_cache_what_its_own_origin_has_not(platform: Platform) -> None:
    async with engine(platform) as (driving, base):
        one = driving.owner
        executor = await ScriptedExecutor(platform.bus, "ex").start()
        first = await start(one, with_parameter(), x=1)
        await beating(executor, ended(platform, first))
        elsewhere = await start(one, with_parameter(), x=2)
        await beating(executor, ended(platform, elsewhere))

        wanted = scheduler_pb.Fork(values=messages.to_struct({"x": 2}))
        async with grpc.aio.insecure_channel("127.0.0.1:1") as nobody:  # releases are not asked for
            handlers = driving.handlers(base, nobody)
            request = scheduler_pb.PlanForkRequest(workspace="w", run_id=first.run_id, fork=wanted)
            (planned,) = await handlers.plan_fork(request)
        origin = await one.look(first.run_id)
        assert origin is not None
        forked = fork(origin, Edits(values={"x": 2}), run_id=new_id())
        again = fork(origin, Edits(values={"x": 2}, again=("slow",)), run_id=new_id())
        for created_ in (forked, again):
            await one.command(created_.run_id, CreateRun(created_), META)
            await beating(executor, ended(platform, created_))

    assert (planned.action, planned.reason) == (
        "reuse",
        f"equal attempt in run {elsewhere.run_id}, step slow",
    )
    assert elsewhere.run_id in await reason(platform, forked)
    assert [work.key.run_id for work in executor.orders] == [first.run_id, elsewhere.run_id, again.run_id]


async def test_a_plan_reads_the_lists_that_maps_run_over(platform: Platform) -> None:
    """What a map gave is in the store; the map over it is looked into item by item all the same."""
    content = msgspec.json.encode(list(range(150)))
    digest = await platform.artifacts.put_bytes(content)
    numbers = Artifact(digest=digest, type="json", encoding="json", size_bytes=len(content))

    def behave(work: Work) -> Mapping[str, Any] | Failure:
        if work.function.name == "numbers":
            return {"output": numbers}
        return RAISED if work.key.step == "double.7" else {"output": 1}

    run = created(graph(call("numbers"), map_step(ref("numbers"), tolerated=1)))
    async with engine(platform) as (driving, base):
        executor = await ScriptedExecutor(platform.bus, "ex", slots=50, behave=behave).start()
        await driving.owner.command(run.run_id, CreateRun(run), META)
        await beating(executor, ended(platform, run))
        async with grpc.aio.insecure_channel("127.0.0.1:1") as nobody:
            handlers = driving.handlers(base, nobody)
            request = scheduler_pb.PlanForkRequest(workspace="w", run_id=run.run_id)
            _, each = await handlers.plan_fork(request)

    assert (each.action, each.items_reused, each.items_run) == ("run", 149, 1)


def with_parameter() -> Graph:
    slow = replace(call("slow", x=Binding(parameter="x")), cache=True)
    return graph(slow, parameters=(Parameter(name="x", type="int"),))
