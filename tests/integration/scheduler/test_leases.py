"""Several schedulers on one Postgres share the partitions; they move when one comes, goes or is paused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from tests.integration.scheduler.installation import META, Platform, count, created, ended, engine, history
from tests.integration.scheduler.scripted import ScriptedExecutor, beating
from tests.unit.domain.graphs import function, graph
from tests.waiting import until

from foldline.bus import subjects
from foldline.domain.commands import CreateRun
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.spec import Step
from foldline.pg import connect
from foldline_scheduler.engine import Engine
from foldline_scheduler.leases import Leases
from foldline_scheduler.open_runs import OpenRuns
from foldline_scheduler.partitions import PARTITIONS

LEASE_SECONDS = 60.0  # nothing runs out by itself in these tests


class Member:
    """A scheduler with leases of its own. `ahead` sets its monotonic clock forth, as a pause would."""

    def __init__(self, name: str, driving: Engine, platform: Platform) -> None:
        self.name = name
        self.driving = driving
        self.ahead = 0.0
        self.leases = Leases(
            *(platform.pool, driving.owner, platform.bus, self._gained),
            name=name,
            seconds=LEASE_SECONDS,
            monotonic=lambda: time.monotonic() + self.ahead,
        )
        self._platform = platform

    @property
    def held(self) -> frozenset[int]:
        return self.driving.owner.partitions

    async def _gained(self, partitions: frozenset[int]) -> None:
        await self.driving.owner.adopt(await self._platform.open_runs.of(partitions))
        await self.driving.listener.hear_again()


@asynccontextmanager
async def member(platform: Platform, name: str) -> AsyncIterator[Member]:
    async with engine(platform, leased=True) as (driving, _):
        one = Member(name, driving, platform)
        told = await platform.bus.subscribe(subjects.PARTITIONS, one.leases.on_told)
        await one.leases.keep()
        yield one
        await told.close()
        await one.leases.release()


async def die(platform: Platform, name: str) -> None:
    """What is seen of a killed one once its lease has run out."""
    await platform.pool.execute(
        "update scheduler.members set expires_at = now() - interval '1 second' where name = $1", name
    )


def shared(*members: Member) -> Callable[[], bool]:
    def check() -> bool:
        held = [one.held for one in members]
        return sum(map(len, held)) == PARTITIONS == len(frozenset().union(*held))

    return check


async def test_who_comes_gets_its_share_and_who_leaves_gives_it_back(platform: Platform) -> None:
    async with member(platform, "a") as first:
        assert len(first.held) == PARTITIONS
        async with member(platform, "b") as second:
            await first.leases.keep()
            await until(shared(first, second))
            assert (len(first.held), len(second.held)) == (PARTITIONS // 2, PARTITIONS // 2)
            async with member(platform, "c") as third:
                for one in (first, second):
                    await one.leases.keep()
                await until(shared(first, second, third))
                assert sorted(map(len, (first.held, second.held, third.held))) == [4, 6, 6]
            await until(shared(first, second))
        await until(shared(first))


async def test_the_partitions_of_a_dead_one_go_to_the_living(platform: Platform) -> None:
    async with member(platform, "a") as first, member(platform, "b") as second:
        await first.leases.keep()
        await until(shared(first, second))

        await die(platform, "b")
        await first.leases.keep()

        assert len(first.held) == PARTITIONS
        assert first.held & second.held == second.held  # it does not know yet
        await second.leases.keep()
        await first.leases.keep()
        await until(shared(first, second))


async def test_one_that_is_stopped_at_any_moment_has_no_transaction_open(
    platform: Platform, database: str
) -> None:
    """Its locks would be those that its successor needs."""
    run = created(graph(function("a")))
    async with engine(platform) as (driving, _):
        await driving.owner.command(run.run_id, CreateRun(run), META)
    heard: list[str] = []
    async with connect.pool(database, role="foldline_scheduler", name="test", max_size=1) as pool:
        async with pool.acquire() as connection:
            connection.add_query_logger(lambda one: heard.append(one.query))
        watched = Platform(**vars(platform) | {"pool": pool, "open_runs": OpenRuns(pool, platform.store)})

        async with member(watched, "a") as one:
            assert one.driving.owner.owns(run.run_id)
            assert await one.driving.owner.load(run.run_id) is not None

    assert any("take_partitions" in query for query in heard)
    assert any("insert into scheduler.open_runs" in query for query in heard)
    assert not [query for query in heard if query.upper().startswith("BEGIN")]


async def test_a_paused_one_owns_nothing_when_it_wakes_up(platform: Platform) -> None:
    run = created(graph(function("a")))
    async with member(platform, "a") as one:
        assert one.driving.owner.owns(run.run_id)
        one.driving.owner.set_partitions(range(PARTITIONS), believed_until=time.monotonic() - 1)

        assert not one.driving.owner.owns(run.run_id)
        with pytest.raises(FoldlineError, match="is moving to another scheduler") as refusal:
            await one.driving.owner.command(run.run_id, CreateRun(run), META)
        assert refusal.value.kind is Kind.UNAVAILABLE

    assert await platform.store.read_stream(f"run-{run.run_id}") == []


async def test_runs_that_others_may_have_had_meanwhile_are_taken_over_anew(platform: Platform) -> None:
    """One that stood still may find its partitions free again, and knows nothing of who had them."""
    run = created(graph(function("a")))
    async with member(platform, "a") as one:
        owner = one.driving.owner
        await owner.command(run.run_id, CreateRun(run), META)
        before = await owner.load(run.run_id)

        await one.leases.keep()
        assert await owner.load(run.run_id) is before
        one.ahead += 2 * LEASE_SECONDS
        await one.leases.keep()

        assert owner.owns(run.run_id)
        assert await owner.load(run.run_id) is not before


async def test_a_report_that_comes_while_nobody_owns_the_run_is_heard_by_the_next_owner(
    platform: Platform,
) -> None:
    run = created(graph(function("a")))
    async with engine(platform) as (driving, _):
        executor = await ScriptedExecutor(platform.bus, "ex", answers=False).start()
        await driving.owner.command(run.run_id, CreateRun(run), META)
        await until(lambda: bool(executor.orders))
        driving.owner.set_partitions(())
        await executor.end(executor.orders[0])  # told once, and never again
        await until(lambda: driving.listener.has_foreign)
        driving.owner.set_partitions(range(PARTITIONS))
        await driving.owner.adopt([run.run_id])

        await driving.listener.hear_again()
        await until(ended(platform, run))
        await until(lambda: bool(executor.acks))  # sent after the commit, and on its way for a while

    assert [kind for _, kind in executor.acks] == ["succeeded"]


async def test_runs_go_on_while_replicas_come_and_go(platform: Platform) -> None:
    runs = [created(graph(*chain(12))) for _ in range(16)]
    executor = await ScriptedExecutor(platform.bus, "ex", slots=4).start()
    async with member(platform, "a") as first:
        for run in runs:
            await first.driving.owner.command(run.run_id, CreateRun(run), META)
        async with member(platform, "b") as second:
            await first.leases.keep()
            await until(shared(first, second))
            await asyncio.gather(*(executor.beat() for _ in range(3)))
        await until(shared(first))
        for run in runs:
            await beating(executor, ended(platform, run))

    for run in runs:
        recorded = await history(platform, run)
        assert count(recorded, "StepScheduled") == count(recorded, "AttemptSucceeded") == 12


def chain(length: int) -> list[Step]:
    return [function(f"s{n}", *([f"s{n - 1}"] if n else [])) for n in range(length)]
