"""Live watches: nothing missed, nothing twice, the state of each message is the one behind its events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from tests.integration.recorder.desk import Desk, read_all
from tests.integration.recorder.stories import Story, wide
from tests.waiting import until

from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline_recorder.metrics import WATCHERS


def watch(story: Story, after: int = 0) -> pb.WatchRunRequest:
    return pb.WatchRunRequest(workspace="lab", run_id=story.run_id, after_version=after)


def versions(updates: Sequence[pb.WatchRunResponse]) -> list[int]:
    return [event.version for update in updates for event in update.events]


def watchers() -> float:
    return next(iter(WATCHERS.collect())).samples[0].value


def replayed(updates: Sequence[pb.WatchRunResponse]) -> dict[str, str]:
    """The steps' statuses as someone sees them who puts the changes over the first state."""
    return {step.name: step.status for update in updates for step in update.steps}


async def test_a_watch_of_a_finished_run_is_one_message(desk: Desk) -> None:
    story = await Story(desk.store).finish()

    updates = await read_all(desk.stub.WatchRun(watch(story)))

    assert len(updates) == 1
    assert (updates[0].run.status, updates[0].run.version) == ("completed", 8)
    assert [step.status for step in updates[0].steps] == ["completed", "completed"]
    assert versions(updates) == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_changes_come_as_they_are_committed_until_the_run_has_ended(desk: Desk) -> None:
    story = await Story(desk.store).tell()
    updates: list[pb.WatchRunResponse] = []

    async def look() -> None:
        async for update in desk.stub.WatchRun(watch(story)):
            updates.append(update)  # noqa: PERF401 - looked at while they come

    watching = asyncio.create_task(look())
    await until(lambda: len(updates) == 1)
    assert [step.name for step in updates[0].steps] == ["a", "b"]
    story.game.schedule()
    await story.tell()
    await until(lambda: len(updates) == 2)
    assert [(step.name, step.status) for step in updates[1].steps] == [("a", "scheduled")]
    assert updates[1].run.status == "running"
    await story.finish()
    await watching

    assert versions(updates) == list(range(1, story.version + 1))
    assert replayed(updates) == {"a": "completed", "b": "completed"}
    assert updates[-1].run.status == "completed"
    assert all(update.run.version == update.events[-1].version for update in updates)


async def test_events_that_were_seen_are_not_sent_again(desk: Desk) -> None:
    story = await Story(desk.store).finish()

    behind = await read_all(desk.stub.WatchRun(watch(story, after=4)))
    nothing = await read_all(desk.stub.WatchRun(watch(story, after=8)))

    assert versions(behind) == [5, 6, 7, 8]
    assert [step.name for step in behind[0].steps] == ["a", "b"]
    assert versions(nothing) == []
    assert nothing[0].run.status == "completed"


async def test_a_long_history_comes_in_messages_that_are_each_consistent(desk: Desk) -> None:
    story = await Story(desk.store, wide(400)).finish(at_once=True)

    updates = await read_all(desk.stub.WatchRun(watch(story)))

    assert len(updates) > 1
    assert versions(updates) == list(range(1, story.version + 1))
    assert len(updates[0].steps) == 400
    assert all(update.run.version == update.events[-1].version for update in updates)
    assert set(replayed(updates).values()) == {"completed"}


async def test_many_watchers_see_the_same(desk: Desk) -> None:
    story = await Story(desk.store, wide(30)).tell()
    watching = [asyncio.create_task(read_all(desk.stub.WatchRun(watch(story)))) for _ in range(50)]
    await until(lambda: watchers() == 50)

    await story.finish()
    seen = await asyncio.gather(*watching)

    for updates in seen:
        assert versions(updates) == list(range(1, story.version + 1))
        assert set(replayed(updates).values()) == {"completed"}
    await until(lambda: watchers() == 0)


async def test_a_client_that_goes_away_leaves_nothing_behind(desk: Desk) -> None:
    story = await Story(desk.store).tell()
    call = desk.stub.WatchRun(watch(story))
    await anext(aiter(call))
    assert watchers() == 1

    call.cancel()

    await until(lambda: watchers() == 0)


async def test_a_slow_client_gets_everything_in_fewer_messages(desk: Desk) -> None:
    story = await Story(desk.store, wide(300)).tell()
    reading: AsyncIterator[pb.WatchRunResponse] = aiter(desk.stub.WatchRun(watch(story)))
    updates = [await anext(reading)]

    # Far more bytes than the connection holds for somebody who does not read.
    await story.finish(value="x" * 20_000)
    updates += [update async for update in reading]

    assert versions(updates) == list(range(1, story.version + 1))
    assert len(updates) < story.version
    assert set(replayed(updates).values()) == {"completed"}
