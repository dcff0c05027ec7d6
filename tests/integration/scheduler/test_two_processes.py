"""Two scheduler processes on one ledger: runs of both, commands to either, one killed in the middle."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.integration.scheduler.installation import Platform, opened
from tests.integration.scheduler.processes import Scheduler, Worker, owners, registry, scheduler, until_shared
from tests.integration.scheduler.starters import said, told, until_told
from tests.unit.domain.graphs import function, output
from tests.waiting import until

from foldline.bus import subjects
from foldline.bus.port import Message
from foldline.domain.schedule_events import ScheduleSettings, Times
from foldline.domain.spec import Graph, Step, Wait
from foldline.eventstore import chain
from foldline.eventstore.port import START, Recorded
from foldline.sdk.changes import Change
from foldline_scheduler.partitions import partition_of

LIMIT = 3
GRAPH = Graph(
    name="f",
    steps=(
        *(function(f"a{number}") for number in range(4)),
        Step(name="ask", kind="wait", wait=Wait(kind="approve"), after=("a0",)),
        function("last", "a1", after=("ask",)),
    ),
    outputs={"output": output("last")},
)

pytestmark = pytest.mark.timeout(180)


class Two(NamedTuple):
    platform: Platform
    worker: Worker
    schedulers: list[Scheduler]


@pytest.fixture
async def two(database: str, nats_server: str, tmp_path: Path) -> AsyncIterator[Two]:
    """Two processes that share the partitions, and a worker of both."""
    async with AsyncExitStack() as stack:
        platform = await stack.enter_async_context(opened(database, nats_server, tmp_path))
        address = await stack.enter_async_context(registry(GRAPH))
        worker = Worker(platform.bus, slots=16)
        limits = {"workflows": {"w/f": LIMIT}}
        schedulers = [
            await stack.enter_async_context(scheduler(database, nats_server, address, tmp_path, limits))
            for _ in range(2)
        ]
        await until_shared(platform.pool, 2)
        await stack.enter_async_context(worker.working())
        yield Two(platform, worker, schedulers)


async def history(platform: Platform, run_id: str) -> list[Recorded]:
    recorded = await platform.store.read_stream(f"run-{run_id}")
    assert chain.verify(recorded) is None
    return recorded


async def has(platform: Platform, run_id: str, type_: str) -> bool:
    return any(one.type == type_ for one in await history(platform, run_id))


def once(recorded: list[Recorded]) -> bool:
    """Was no attempt given out twice?"""
    orders = Counter(
        one.payload.partition(',"executor"')[0] for one in recorded if one.type == "StepScheduled"
    )
    return set(orders.values()) == {1}


async def finish(two: Two, run_id: str, by: Scheduler) -> None:
    """Answer what the run asks, by way of one scheduler, and wait until it has ended."""

    async def asked() -> bool:
        return await has(two.platform, run_id, "WaitOpened")

    async def ended() -> bool:
        return await has(two.platform, run_id, "RunCompleted")

    await until(asked, timeout=60)
    await by.client.waits.approve(run_id, "ask", True)
    await until(ended, timeout=60)
    assert once(await history(two.platform, run_id))


async def test_one_that_begins_calls_the_roll(database: str, nats_server: str, tmp_path: Path) -> None:
    called = asyncio.Event()

    async def hear(_: Message) -> None:
        called.set()

    async with AsyncExitStack() as stack:
        platform = await stack.enter_async_context(opened(database, nats_server, tmp_path))
        address = await stack.enter_async_context(registry(GRAPH))
        await platform.bus.subscribe(subjects.ROLL_CALL, hear)
        await stack.enter_async_context(scheduler(database, nats_server, address, tmp_path, {}))

        await asyncio.wait_for(called.wait(), 10)


async def test_runs_answers_and_forks_go_through_whichever_scheduler_is_asked(two: Two) -> None:
    one, other = two.schedulers
    runs = [await by.client.runs.start("f") for by in (one, other) * 6]
    belong = await owners(two.platform.pool)
    assert len({belong[partition_of(run_id)] for run_id in runs}) == 2, "twelve runs in one half of all"

    for number, run_id in enumerate(runs):
        await finish(two, run_id, two.schedulers[number // 6])
    for by in (one, other):
        for run_id in runs[:2]:
            forked = await by.client.runs.fork(run_id, Change(from_steps=("a1",)))
            again = await by.client.runs.fork(run_id, Change(whole=True))
            # What was answered is taken over in a fork; everything is asked again in a rerun.
            await until(lambda forked=forked: has(two.platform, forked, "RunCompleted"), timeout=60)  # type: ignore[misc]
            await finish(two, again, by)
            types = Counter(one.type for one in await history(two.platform, forked))
            assert types["StepReused"] >= 3

    # Each decides for its own runs, and learns of the other's by heartbeats.
    assert two.worker.most <= 2 * LIMIT


async def test_schedules_fire_once_and_runs_move_on_when_one_of_two_is_killed(two: Two) -> None:
    one, other = two.schedulers
    every_second = ScheduleSettings(
        workflow="f", times=Times(every_seconds=1), overlap="allow", catch_up_seconds=60
    )
    for number in range(4):
        await other.client.schedules.create(f"s{number}", every_second)
    runs = [await by.client.runs.start("f") for by in (one, other) * 8]
    for number in range(4):
        await until_told(other.client, f"s{number}", "ScheduleFired", 2)

    one.process.send_signal(signal.SIGKILL)
    await one.process.wait()

    for run_id in runs:
        await finish(two, run_id, other)
    assert len(set((await until_shared(two.platform.pool, 1)).values())) == 1
    for number in range(4):
        name = f"s{number}"
        before = len(await told(other.client, name, "ScheduleFired"))
        await until_told(other.client, name, "ScheduleFired", before + 2)
        await other.client.schedules.delete(name)
        fired = [said(entry, "at") for entry in await told(other.client, name, "ScheduleFired")]
        assert len(fired) == len(set(fired))
    created = await two.platform.store.read_all(after=START, limit=10_000, types=["RunCreated"])
    assert len(created) == len({event.stream for event in created})
    assert set(two.worker.started.values()) == {1}
