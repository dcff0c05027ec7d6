"""The owner of runs on a real ledger and real NATS, against executors that follow a script."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from tests.integration.scheduler.installation import (
    META,
    Platform,
    count,
    created,
    ended,
    history,
    owner,
)
from tests.integration.scheduler.scripted import DONE, ScriptedExecutor, beating
from tests.unit.domain.graphs import failure, function, graph
from tests.waiting import until

from foldline.bus import subjects
from foldline.chassis.clock import SystemClock
from foldline.domain.commands import CreateRun, PauseRun, RequestStop, ResumeRun
from foldline.domain.spec import Retry
from foldline.domain.work import AttemptKey, Report
from foldline.wire import work as wire
from foldline_scheduler.overlooked import Overlooked
from foldline_scheduler.partitions import PARTITIONS, partition_of

#: A step that is tried again after 100 ms.
AGAIN = function("a", retry=Retry(max_attempts=2, delay_seconds=0.1, jitter=0))


class Hasty(SystemClock):
    """A clock on which more than a retry's delay passes between any two looks at it."""

    def __init__(self) -> None:
        self.looks = 0

    def now(self) -> datetime:
        self.looks += 1
        return super().now() + timedelta(seconds=0.4) * self.looks


CHAIN = graph(function("a"), function("b", "a"), function("c", "b"))


async def test_a_run_goes_from_created_to_completed(platform: Platform) -> None:
    run = created(CHAIN)
    async with owner(platform) as one:
        executor = await ScriptedExecutor(platform.bus, "ex").start()
        await one.command(run.run_id, CreateRun(run), META)
        await beating(executor, ended(platform, run))

    recorded = await history(platform, run)
    assert [work.key.step for work in executor.orders] == ["a", "b", "c"]
    assert count(recorded, "StepScheduled") == 3
    assert {kind for _, kind in executor.acks} == {"started", "succeeded"}


async def test_an_order_that_was_lost_is_sent_again(platform: Platform) -> None:
    run = created(graph(function("a")))
    async with owner(platform) as one:
        executor = await ScriptedExecutor(platform.bus, "ex", answers=False).start()
        await one.command(run.run_id, CreateRun(run), META)

        async def twice() -> bool:
            return len(executor.orders) >= 2

        await beating(executor, twice)

    assert {work.key.attempt for work in executor.orders} == {1}
    assert count(await history(platform, run), "StepScheduled") == 1


async def test_a_silent_executor_loses_its_attempts_to_another_one(platform: Platform) -> None:
    run = created(graph(function("a")))
    async with owner(platform, silence=0.5) as one:
        silent = await ScriptedExecutor(platform.bus, "silent", answers=False).start()
        await one.command(run.run_id, CreateRun(run), META)
        await until(lambda: bool(silent.orders))
        other = ScriptedExecutor(platform.bus, "other")
        await other.start()

        await beating(other, ended(platform, run))

    assert count(await history(platform, run), "AttemptFailed") == 1
    assert [work.key.attempt for work in other.orders] == [2]


async def test_a_retry_that_falls_due_between_two_looks_at_the_clock_is_not_forgotten(
    platform: Platform,
) -> None:
    run = created(graph(AGAIN))
    async with owner(platform, clock=Hasty()) as one:
        executor = ScriptedExecutor(
            platform.bus, "ex", behave=lambda work: failure() if work.key.attempt == 1 else {"output": 1}
        )
        await executor.start()
        await one.command(run.run_id, CreateRun(run), META)
        await beating(executor, ended(platform, run))

    assert [work.key.attempt for work in executor.orders] == [1, 2]


async def test_a_restarted_executor_loses_at_once_what_it_held_before(platform: Platform) -> None:
    run = created(graph(function("a")))
    async with owner(platform) as one:
        old = await ScriptedExecutor(platform.bus, "old", answers=False).start()
        await one.command(run.run_id, CreateRun(run), META)
        await until(lambda: bool(old.orders))
        new = ScriptedExecutor(platform.bus, "new")
        await new.start()
        await new.beat(replaces="old")
        await beating(new, ended(platform, run))

    assert [work.key.attempt for work in new.orders] == [2]


async def test_a_new_owner_goes_on_where_the_old_one_was(platform: Platform) -> None:
    run = created(CHAIN)
    executor = ScriptedExecutor(platform.bus, "ex", answers=False)
    async with owner(platform) as first:
        await executor.start()
        await first.command(run.run_id, CreateRun(run), META)
        await until(lambda: bool(executor.orders))
    executor.answers = True

    async with owner(platform) as second:
        await second.adopt(await platform.open_runs.of(range(PARTITIONS)))
        await beating(executor, ended(platform, run))

    assert count(await history(platform, run), "StepScheduled") == 3
    await platform.open_runs.catch_up()
    assert run.run_id not in await platform.open_runs.of(range(PARTITIONS))


async def test_two_owners_of_one_run_schedule_each_attempt_once(platform: Platform) -> None:
    steps = [function(f"s{number}", *([f"s{number - 1}"] if number else [])) for number in range(15)]
    run = created(graph(*steps))
    async with owner(platform) as one, owner(platform) as other:
        executor = await ScriptedExecutor(platform.bus, "ex").start()
        await one.command(run.run_id, CreateRun(run), META)
        await other.adopt([run.run_id])
        await beating(executor, ended(platform, run))

    recorded = await history(platform, run)
    assert count(recorded, "StepScheduled") == count(recorded, "AttemptSucceeded") == 15


async def test_a_stop_reaches_the_executor_and_ends_the_run(platform: Platform) -> None:
    run = created(graph(function("a"), function("b", "a")))
    async with owner(platform) as one:
        executor = await ScriptedExecutor(platform.bus, "ex", answers=False).start()
        await one.command(run.run_id, CreateRun(run), META)
        await until(lambda: bool(executor.orders))
        await one.command(run.run_id, RequestStop("enough"), META)
        await until(lambda: bool(executor.stops))
        await executor.report(executor.orders[0], "failed", failure=failure("stopped"))
        await beating(executor, ended(platform, run, "RunStopped"))


async def test_a_report_of_a_run_that_never_was_is_parked_and_the_rest_goes_on(platform: Platform) -> None:
    run = created(graph(function("a")))
    async with owner(platform) as one:
        executor = await ScriptedExecutor(platform.bus, "ex").start()
        await platform.bus.publish(subjects.report(3), b"{not json")
        await one.command(run.run_id, CreateRun(run), META)
        await beating(executor, ended(platform, run))

    parked = await platform.bus.parked(10)
    assert [message.body for message in parked] == [b"{not json"]


async def test_what_a_restored_ledger_does_not_know_is_parked_once_and_told_no_more(
    platform: Platform,
) -> None:
    run = created(graph(function("a")))
    async with owner(platform) as one:
        executor = await ScriptedExecutor(platform.bus, "ex").start()
        await one.command(run.run_id, CreateRun(run), META)
        await beating(executor, ended(platform, run))
        unknown_run = AttemptKey(run_id="0192f0c4-0000-7000-8000-000000000000", step="a", attempt=1)
        unknown_attempt = AttemptKey(run_id=run.run_id, step="a", attempt=9)
        for key in (unknown_run, unknown_attempt):
            report = Report(key=key, session="ex", kind="succeeded", outputs={"output": DONE})
            await platform.bus.publish(subjects.report(partition_of(key.run_id)), wire.encode_all([report]))
        # An executor repeats a report until it is acknowledged.
        wanted = {(unknown_run, "succeeded"), (unknown_attempt, "succeeded")}
        await until(lambda: wanted <= set(executor.acks))

    reasons = {message.reason for message in await platform.bus.parked(10)}
    assert reasons == {f"there is no run {unknown_run.run_id}", f"{unknown_attempt} was never scheduled"}


async def test_a_new_owner_stops_nothing_that_it_has_not_taken_over_yet(platform: Platform) -> None:
    run = created(CHAIN)
    executor = ScriptedExecutor(platform.bus, "ex", answers=False)
    async with owner(platform) as first:
        await executor.start()
        await first.command(run.run_id, CreateRun(run), META)
        await until(lambda: bool(executor.orders))
    (order,) = executor.orders
    over = AttemptKey(run_id=run.run_id, step="b", attempt=7)
    executor.held = {order.key, over}

    async with owner(platform):
        await executor.beat()
        await until(lambda: bool(executor.stops))
        assert executor.stops == [over]
        await executor.report(order, "succeeded", outputs={"output": DONE})
        await until(lambda: len(executor.orders) == 2)


async def test_events_that_are_loaded_twice_at_the_same_time_are_taken_in_once(platform: Platform) -> None:
    """A conflict and a poke both have a run loaded; what the second finds is known by then."""
    run = created(CHAIN)
    async with owner(platform) as one:
        await one.command(run.run_id, CreateRun(run), META)
        known = await one.load(run.run_id)
        assert known is not None
        await one.write_foreign(run.run_id, PauseRun("p"), META)

        found = await asyncio.gather(known.load(), known.load())

        assert sorted(map(len, found)) == [0, 1]
        assert known.state is not None
        assert known.state.status == "paused"
        assert known.state.version == len(await history(platform, run))


async def test_a_look_shows_what_was_written_since_the_last_one(platform: Platform) -> None:
    runs = [created(CHAIN) for _ in range(6)]
    async with owner(platform) as one, owner(platform) as other:
        other.set_partitions(())
        for run in runs:
            await one.command(run.run_id, CreateRun(run), META)
            assert await other.look(run.run_id)
        for run in runs:
            await one.command(run.run_id, PauseRun(), META)
            found = [await other.look(run.run_id) for _ in range(2)]
            assert [state.status for state in found if state] == ["paused", "paused"]

    assert await other.look("no-such-run") is None


async def test_what_another_scheduler_wrote_is_found_when_its_poke_is_lost(platform: Platform) -> None:
    run, other = created(CHAIN), created(CHAIN)
    async with owner(platform) as one:
        overlooked = Overlooked(one, platform.store, at_once=1)
        for each in (run, other):
            await one.command(each.run_id, CreateRun(each), META)
            await one.command(each.run_id, PauseRun(), META)
            await one.write_foreign(each.run_id, ResumeRun(), META)

        await overlooked.look()
        await overlooked.look()

        executor = await ScriptedExecutor(platform.bus, "ex").start()
        await beating(executor, ended(platform, run))
        await beating(executor, ended(platform, other))
