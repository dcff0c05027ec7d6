"""Schedules on a real ledger: what fires, what does not and why, what a crash leaves to the next owner."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from tests.integration.scheduler.starters import NOON, Place, said, told, until_told
from tests.waiting import until

from foldline.domain import firings
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.schedule_events import ScheduleSettings, Times
from foldline.eventstore import facts
from foldline.sdk.client import Client
from foldline.wire import messages

MINUTELY = Times(cron="* * * * *")


def every_minute(**changes: object) -> ScheduleSettings:
    return ScheduleSettings(**{"workflow": "f", "times": MINUTELY, **changes})  # type: ignore[arg-type]


async def test_a_schedule_fires_in_its_own_name_and_tells_the_run_its_time(here: Place) -> None:
    async with here.scheduler() as client:
        made = await client.schedules.create("s", every_minute(time_parameter="at", values={"size": 7}))
        assert [messages.to_time(one) for one in made.next_times][:2] == [
            NOON + timedelta(minutes=1),
            NOON + timedelta(minutes=2),
        ]
        here.clock.advance(60)
        (fired,) = await until_told(client, "s", "ScheduleFired")
        runs = await until(lambda: _some(here))

    assert fired.summary.startswith("2026-03-01T12:01:00Z fired: run ")
    assert [(stream, meta.actor, meta.workspace) for stream, meta in runs.items()] == [
        (f"run-{said(fired, 'run_id')}", "schedule:w/s", "w")
    ]
    assert here.registry.askers == ["schedule:w/s"]
    (created,) = await here.store.read_stream(f"run-{said(fired, 'run_id')}", limit=1)
    assert '"parameters":{"at":"2026-03-01T12:01:00Z","size":7}' in created.payload


async def _some(here: Place, count: int = 1) -> dict[str, facts.Meta]:
    runs = await here.runs()
    assert len(runs) >= count
    return runs


async def test_a_clock_set_back_and_forth_by_an_hour_fires_nothing_twice(here: Place) -> None:
    async with here.scheduler() as client:
        await client.schedules.create("s", every_minute(overlap="allow", catch_up_seconds=3 * 3600))
        looks = 0
        for jump in (60, -3600, 60, 3600, 60, 3600, -7200, 60, 7200, 60):
            here.clock.advance(jump)
            # The backfill fires in the same decision as what is due, so its firing proves that there was one.
            looks += 1
            long_ago = NOON - timedelta(hours=9, minutes=looks)
            await client.schedules.backfill("s", long_ago, long_ago)
            await until(partial(_looked, client, looks))
        fired = [
            said(one, "at") for one in await told(client, "s", "ScheduleFired") if "backfill" not in one.data
        ]
        await until(lambda: _some(here, len(fired) + looks))
        skipped = await told(client, "s", "ScheduleSkipped")

    last = here.clock.now()
    minutes = [
        NOON + timedelta(minutes=number) for number in range(1, 1 + (last - NOON) // timedelta(minutes=1))
    ]
    assert fired == [firings.rfc3339(at) for at in minutes]
    assert skipped == []
    assert len(await here.runs()) == len(fired) + looks


async def _looked(client: Client, count: int) -> bool:
    fired = await told(client, "s", "ScheduleFired")
    return len([one for one in fired if "backfill" in one.data]) == count


async def test_a_token_that_a_clock_makes_invalid_costs_a_firing_nothing(here: Place) -> None:
    async with here.scheduler() as client:
        await client.schedules.create("s", every_minute())
        here.registry.refusal = FoldlineError(Kind.UNAUTHENTICATED, "TOKEN_INVALID", "it is not valid yet")
        here.clock.advance(60)
        (fired,) = await until_told(client, "s", "ScheduleFired")
        await until(lambda: here.registry.refused > 0)
        here.registry.refusal = None
        runs = await until(lambda: _some(here))

    assert list(runs) == [f"run-{said(fired, 'run_id')}"]


async def test_what_was_fired_and_not_started_is_started_by_the_next_owner_once(here: Place) -> None:
    async with here.scheduler() as client:
        await client.schedules.create("s", every_minute())
        here.registry.refusal = FoldlineError(Kind.UNAVAILABLE, "DOWN", "the registry is down")
        here.clock.advance(60)
        (fired,) = await until_told(client, "s", "ScheduleFired")
    assert await here.runs() == {}

    here.registry.refusal = None
    async with here.scheduler() as client:
        await until(lambda: _some(here))
        assert len(await told(client, "s", "ScheduleFired")) == 1

    assert list(await here.runs()) == [f"run-{said(fired, 'run_id')}"]


async def test_two_owners_of_one_schedule_start_each_run_once(here: Place) -> None:
    async with here.scheduler() as client, here.scheduler():
        await client.schedules.create("s", every_minute(overlap="allow"))
        for minute in range(1, 6):
            here.clock.advance(60)
            await until_told(client, "s", "ScheduleFired", minute)
        await until(lambda: _some(here, 5))
        fired = [said(entry, "at") for entry in await told(client, "s", "ScheduleFired")]

    assert fired == [f"2026-03-01T12:0{minute}:00Z" for minute in range(1, 6)]
    assert len(await here.runs()) == 5


async def test_while_a_run_is_open_the_next_times_are_skipped_and_the_history_says_so(here: Place) -> None:
    async with here.scheduler() as client:
        await client.schedules.create("s", every_minute())
        here.clock.advance(60)
        (fired,) = await until_told(client, "s", "ScheduleFired")
        here.clock.advance(60)
        (skipped,) = await until_told(client, "s", "ScheduleSkipped")
        await until(lambda: _some(here))
        await client.operations.stop(said(fired, "run_id"))
        (ended,) = await until_told(client, "s", "FiredRunEnded")
        here.clock.advance(60)
        await until_told(client, "s", "ScheduleFired", 2)

    because = f"the run before was still open (run {said(fired, 'run_id')})"
    assert skipped.summary == f"2026-03-01T12:02:00Z skipped: {because}"
    assert ended.summary == f"run {said(fired, 'run_id')} stopped"


async def test_a_queued_time_fires_when_the_run_before_has_ended(here: Place) -> None:
    async with here.scheduler() as client:
        await client.schedules.create("s", every_minute(overlap="queue"))
        here.clock.advance(60)
        (fired,) = await until_told(client, "s", "ScheduleFired")
        here.clock.advance(60)
        await until_told(client, "s", "ScheduleQueued")
        assert messages.to_time((await client.schedules.get("s")).waiting) == NOON + timedelta(minutes=2)
        await until(lambda: _some(here))
        await client.operations.stop(said(fired, "run_id"))
        _, second = await until_told(client, "s", "ScheduleFired", 2)

    assert said(second, "at") == "2026-03-01T12:02:00Z"


async def test_with_overlap_cancel_the_old_run_is_stopped_by_the_schedule(here: Place) -> None:
    async with here.scheduler() as client:
        await client.schedules.create("s", every_minute(overlap="cancel"))
        here.clock.advance(60)
        (fired,) = await until_told(client, "s", "ScheduleFired")
        await until(lambda: _some(here))
        here.clock.advance(60)
        await until_told(client, "s", "ScheduleFired", 2)
        assert len(await told(client, "s", "FiredRunEnded")) == 1

    events = await here.store.read_stream(f"run-{said(fired, 'run_id')}")
    assert "RunStopRequested" in [event.type for event in events]


async def test_a_run_that_cannot_be_started_is_in_the_history_with_the_reason(here: Place) -> None:
    async with here.scheduler() as client:
        await client.schedules.create("s", every_minute())
        here.registry.refusal = FoldlineError(Kind.PRECONDITION, "PARAMETERS_MISSING", "it needs a size")
        here.clock.advance(60)
        (refused,) = await until_told(client, "s", "FiredRunRefused")
        assert (await client.schedules.get("s")).open_runs == []

    assert refused.summary.endswith("could not be started: it needs a size (PARAMETERS_MISSING)")


async def test_after_an_outage_times_within_the_window_fire_and_older_ones_are_missed(here: Place) -> None:
    async with here.scheduler() as client:
        await client.schedules.create("s", every_minute(overlap="allow", catch_up_seconds=150))
    here.clock.advance(600)

    async with here.scheduler() as client:
        fired = await until_told(client, "s", "ScheduleFired", 3)
        (missed,) = await told(client, "s", "ScheduleSkipped")

    assert [said(entry, "at")[11:16] for entry in fired] == ["12:08", "12:09", "12:10"]
    assert missed.summary == (
        "7 times from 2026-03-01T12:01:00Z to 2026-03-01T12:07:00Z skipped: older than the catch-up window"
    )


async def test_a_backfill_keeps_to_its_parallelism_and_ends(here: Place) -> None:
    async with here.scheduler() as client:
        await client.schedules.create("s", every_minute())
        first, last = NOON - timedelta(minutes=5), NOON - timedelta(minutes=1)
        backfill = await client.schedules.backfill("s", first, last, parallelism=2)
        await until_told(client, "s", "ScheduleFired", 2)
        await until(lambda: _some(here, 2))
        (state,) = (await client.schedules.get("s")).backfills
        assert (state.id, state.fired, state.open) == (backfill, 2, 2)
        for count in range(1, 6):
            fired = await until_told(client, "s", "ScheduleFired", count)
            run_id = said(fired[count - 1], "run_id")
            await until(partial(_has, here, run_id))
            await client.operations.stop(run_id)
        (completed,) = await until_told(client, "s", "BackfillCompleted")
        fired = await told(client, "s", "ScheduleFired")

    assert said(completed, "count") == "5"
    assert [said(entry, "at")[11:16] for entry in fired] == ["11:55", "11:56", "11:57", "11:58", "11:59"]
    assert {said(entry, "backfill") for entry in fired} == {backfill}


async def _has(here: Place, run_id: str) -> bool:
    return f"run-{run_id}" in await here.runs()


async def test_a_cancelled_backfill_fires_no_more(here: Place) -> None:
    async with here.scheduler() as client:
        await client.schedules.create("s", every_minute())
        backfill = await client.schedules.backfill("s", NOON - timedelta(minutes=5), NOON)
        await until_told(client, "s", "ScheduleFired")
        await client.schedules.cancel_backfill("s", backfill)
        assert (await client.schedules.get("s")).backfills == []
        with pytest.raises(FoldlineError) as refusal:
            await client.schedules.cancel_backfill("s", backfill)

    assert refusal.value.reason == "BACKFILL_NOT_FOUND"


async def test_a_schedule_is_changed_paused_resumed_listed_and_deleted(here: Place) -> None:
    async with here.scheduler() as client:
        await client.schedules.create("b", every_minute())
        await client.schedules.create("a", every_minute(description="first"))
        changed = await client.schedules.update("b", every_minute(overlap="queue"))
        assert changed.settings.overlap == "queue"
        paused = await client.schedules.pause("b", "holidays")
        assert (paused.paused, paused.pause_reason, list(paused.next_times)) == (True, "holidays", [])
        here.clock.advance(300)
        resumed = await client.schedules.resume("b")
        assert len(resumed.next_times) == 5
        assert [one.name for one in await client.schedules.list()] == ["a", "b"]
        await client.schedules.delete("a")
        assert [one.name for one in await client.schedules.list()] == ["b"]
        summaries = [entry.summary for entry in await told(client, "b")]

    assert summaries[0:3] == ["created", "changed", "paused: holidays"]
    assert "skipped: the schedule was paused" in summaries[3]
    assert summaries[4] == "resumed"


async def test_refusals_name_the_thing(here: Place) -> None:
    async with here.scheduler() as client:
        await client.schedules.create("s", every_minute())
        for call, reason in (
            (client.schedules.create("s", every_minute()), "SCHEDULE_EXISTS"),
            (client.schedules.get("nowhere"), "SCHEDULE_NOT_FOUND"),
            (client.schedules.history("nowhere"), "SCHEDULE_NOT_FOUND"),
            (client.schedules.create("x", every_minute(workflow="g")), "WORKFLOW_NOT_FOUND"),
            (client.schedules.create("x", every_minute(values={"size": "big"})), "INVALID_PARAMETERS"),
            (client.schedules.create("x", every_minute(time_parameter="nope")), "INVALID_PARAMETERS"),
            (client.schedules.create("x", every_minute(times=Times(cron="nonsense"))), "ILLEGAL_CRON"),
            (client.schedules.create("no name", every_minute()), "ILLEGAL_NAME"),
        ):
            with pytest.raises(FoldlineError) as refusal:
                await call
            assert refusal.value.reason == reason


async def test_the_read_model_may_be_dropped(here: Place) -> None:
    async with here.scheduler() as client:
        await client.schedules.create("s", every_minute())
        here.clock.advance(60)
        await until_told(client, "s", "ScheduleFired")
        await until(lambda: _some(here))
        before = await client.schedules.list()
    await here.pool.execute("truncate scheduler.starters, scheduler.fired_runs")
    await here.pool.execute("update scheduler.starters_checkpoint set position = '0.0'")

    async with here.scheduler() as client:
        assert await client.schedules.list() == before
