"""Who gets an executor and why the others wait, on a real ledger and real NATS."""

from __future__ import annotations

from collections import Counter
from functools import partial

import grpc
import pytest
from msgspec.structs import replace
from tests.integration.scheduler.installation import META, Platform, created, ended, engine
from tests.integration.scheduler.scripted import ScriptedExecutor
from tests.unit.domain.graphs import function, graph
from tests.unit.domain.test_forms import double
from tests.waiting import until

from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
from foldline.domain.commands import CreateRun, RequestStop
from foldline.domain.run_events import RunCreated
from foldline.domain.spec import Binding, Body, Graph, Map, Output, Resources, Step
from foldline.domain.waiting import WaitingStep
from foldline.domain.work import Work
from foldline_scheduler.engine import Base, Engine
from foldline_scheduler.limits import Limits
from foldline_scheduler.sizes import Size

PATIENCE = 60.0
"""Executors here send one heartbeat, so that no order comes twice; none is lost meanwhile."""


def steps(count: int) -> Graph:
    return graph(*(function(f"s{number}") for number in range(count)))


class Desk:
    """An executor whose attempts end when the test says so."""

    def __init__(self, executor: ScriptedExecutor) -> None:
        self.executor = executor
        self.ended = 0

    @property
    def active(self) -> list[Work]:
        return self.executor.orders[self.ended :]

    async def ordered(self, count: int) -> None:
        """Wait until so many orders have come in all."""
        await until(lambda: len(self.executor.orders) >= count)

    async def end_oldest(self) -> None:
        self.ended += 1
        await self.executor.end(self.executor.orders[self.ended - 1])


async def desk(platform: Platform, slots: int) -> Desk:
    return Desk(await ScriptedExecutor(platform.bus, "ex", slots=slots, answers=False).start())


async def start(driving: Engine, run: RunCreated) -> None:
    await driving.owner.command(run.run_id, CreateRun(run), META)


async def waiting(driving: Engine, base: Base, run: RunCreated) -> list[WaitingStep]:
    """As `ExplainWaiting` answers."""
    async with grpc.aio.insecure_channel("127.0.0.1:1") as nobody:  # releases are not asked for
        handlers = driving.handlers(base, nobody)
        return await handlers.explain_waiting(
            pb.ExplainWaitingRequest(workspace=run.workspace, run_id=run.run_id)
        )


async def test_two_workspaces_share_the_slots_of_an_executor_by_their_weights(platform: Platform) -> None:
    large, small = created(steps(20), "large"), created(steps(20), "small")
    async with engine(platform, silence=PATIENCE, limits=Limits(weights={"large": 2.0})) as (driving, _):
        here = await desk(platform, slots=6)
        await start(driving, large)
        await here.ordered(6)
        await start(driving, small)

        for number in range(12):
            await here.end_oldest()
            await here.ordered(7 + number)

    assert Counter(work.workspace for work in here.active) == {"large": 4, "small": 2}


async def test_the_next_slot_goes_to_the_run_of_highest_priority(platform: Platform) -> None:
    first, usual = created(steps(1)), created(steps(1))
    urgent = replace(created(steps(1)), priority=5)
    async with engine(platform, silence=PATIENCE) as (driving, _):
        here = await desk(platform, slots=1)
        await start(driving, first)
        await here.ordered(1)
        await start(driving, usual)
        await start(driving, urgent)

        for count in (2, 3):
            await here.end_oldest()
            await here.ordered(count)

    got = [work.key.run_id for work in here.executor.orders]
    assert got == [first.run_id, urgent.run_id, usual.run_id]


async def test_a_limit_of_a_workflow_holds_over_its_runs(platform: Platform) -> None:
    first, second = created(steps(3)), created(steps(3))
    async with engine(platform, silence=PATIENCE, limits=Limits(workflows={"w/f": 2})) as (driving, base):
        here = await desk(platform, slots=8)
        await start(driving, first)
        await start(driving, second)
        await here.ordered(2)
        found = await waiting(driving, base, second)
        assert {(one.reason, one.message) for one in found} == {
            ("LIMIT", "workflow w/f has 2 of 2 attempts active")
        }

        for number in range(6):
            await here.ordered(min(6, 2 + number))
            assert len(here.active) <= 2
            await here.end_oldest()

        await until(ended(platform, first), timeout=20)
        await until(ended(platform, second), timeout=20)


async def test_the_parallelism_of_a_map_holds_over_the_runs_inside_it(platform: Platform) -> None:
    each = Step(
        name="each",
        kind="map",
        inputs={"x": Binding(value=list(range(150)))},
        outputs=(Output(name="output", type="list"),),
        body=Body(graph=double()),
        map=Map(over="x", parallelism=3),
    )
    run = created(graph(each))
    async with engine(platform, silence=PATIENCE) as (driving, base):
        here = await desk(platform, slots=8)
        await start(driving, run)
        await here.ordered(3)

        async def everything_is_explained() -> bool:
            found = Counter(one.reason for one in await waiting(driving, base, run))
            return found == {"CHILDREN": 1, "LIMIT": 147, "STARTING": 3}

        await until(everything_is_explained)
        await here.end_oldest()
        await here.ordered(4)

    assert len(here.active) == 3


@pytest.mark.parametrize(
    ("resources", "reason", "message"),
    [
        (Resources(pool="gpu"), "NO_EXECUTOR", "no executor in pool gpu of region local"),
        (Resources(gpu=1), "TOO_LARGE", "needs 1 gpu, the largest executor in {} has 0"),
        (Resources(flavor="h100"), "TOO_LARGE", "needs 8 gpu, the largest executor in {} has 0"),
        (Resources(flavor="none"), "UNKNOWN_FLAVOR", "this installation has no flavor none"),
    ],
)
async def test_what_no_executor_can_take_says_so(
    platform: Platform, resources: Resources, reason: str, message: str
) -> None:
    run = created(graph(function("a"), function("b", resources=resources)))
    async with engine(platform, silence=PATIENCE, flavors={"h100": Size(gpu=8)}) as (driving, base):
        here = await desk(platform, slots=2)
        await until(lambda: len(driving.owner.executors) == 1)
        await start(driving, run)
        await here.ordered(1)

        (_, found) = await waiting(driving, base, run)

    assert (found.step, found.reason) == ("b", reason)
    assert found.message == message.format("pool default of region local")


async def test_an_executor_that_comes_gets_what_waited_for_it(platform: Platform) -> None:
    run = created(graph(function("a", resources=Resources(cpu=2.0))))
    async with engine(platform, silence=PATIENCE) as (driving, base):
        small = ScriptedExecutor(platform.bus, "small")
        await small.beat(cpu=1.0)
        await until(lambda: len(driving.owner.executors) == 1)
        await start(driving, run)
        (found,) = await waiting(driving, base, run)
        assert found.reason == "TOO_LARGE"

        await ScriptedExecutor(platform.bus, "large").start()
        await until(ended(platform, run), timeout=20)

    assert small.orders == []


async def test_what_waits_for_an_equal_attempt_names_its_run(platform: Platform) -> None:
    cached = graph(function("a", cache=True))
    first, second = created(cached), created(cached)
    async with engine(platform, silence=PATIENCE) as (driving, base):
        here = await desk(platform, slots=2)
        await start(driving, first)
        await here.ordered(1)
        await start(driving, second)
        await until(lambda: bool(driving.owner.recalls.waiting))

        (found,) = await waiting(driving, base, second)

    assert found.reason == "EQUAL_ATTEMPT"
    assert found.message.startswith(f"an equal attempt is under way in run {first.run_id};")


async def test_when_a_large_attempt_waits_no_more_those_behind_it_go_at_once(platform: Platform) -> None:
    first, small = created(steps(1)), created(steps(1))
    large = created(graph(function("a", resources=Resources(cpu=4.0))))
    async with engine(platform, silence=PATIENCE) as (driving, base):
        here = await desk(platform, slots=4)
        await here.executor.beat(cpu=4.0)
        found = partial(driving.owner.executors.candidates, "local", "default")
        await until(lambda: [one.total.millicpus for one in found()] == [4000])
        await start(driving, first)
        await here.ordered(1)
        await start(driving, large)
        await start(driving, small)
        assert [one.reason for one in await waiting(driving, base, large)] == ["NO_ROOM"]
        assert [one.reason for one in await waiting(driving, base, small)] == ["TURN"]

        await driving.owner.command(large.run_id, RequestStop("too large"), META)

        await here.ordered(2)

    assert [work.key.run_id for work in here.executor.orders] == [first.run_id, small.run_id]
