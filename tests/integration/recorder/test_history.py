"""History and replay: the events of a run, the verdict on them, the run as of any of them."""

from __future__ import annotations

import asyncpg
import grpc
import pytest
from tests.integration.recorder.desk import Desk, refused
from tests.integration.recorder.stories import Story, wide

from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.domain.replay import fold_until


def ask(story: Story, **more: int) -> pb.ListHistoryRequest:
    return pb.ListHistoryRequest(workspace="lab", run_id=story.run_id, **more)


def replay(story: Story, version: int) -> pb.ReplayRunRequest:
    return pb.ReplayRunRequest(workspace="lab", run_id=story.run_id, version=version)


async def edit(database: str, statement: str, *arguments: object) -> None:
    """What somebody with all rights on the database can do, and the ledger itself never does."""
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("alter table ledger.events disable trigger user")
        await connection.execute("alter table ledger.events_default disable trigger user")
        await connection.execute(statement, *arguments)
    finally:
        await connection.close()


async def test_the_history_holds_every_event_as_it_was_hashed(desk: Desk) -> None:
    story = await Story(desk.store).finish()
    recorded = await desk.store.read_stream(story.stream)

    history = await desk.stub.ListHistory(ask(story))

    assert (history.more, history.chain_ok, history.chain_error) == (False, True, "")
    assert [event.version for event in history.events] == list(range(1, story.version + 1))
    for event, written in zip(history.events, recorded, strict=True):
        assert (event.payload_json, event.meta_json) == (written.payload, written.meta)
        assert (event.id, event.type, event.hash) == (written.id, written.type, written.hash.hex())
        assert event.position == str(written.position)
        assert event.time.ToDatetime(tzinfo=written.time.tzinfo) == written.time
    assert history.events[1].data["step"] == "a"


async def test_pages_of_a_history_meet_and_each_is_verified(desk: Desk) -> None:
    story = await Story(desk.store).finish()
    assert story.version == 8

    pages = [await desk.stub.ListHistory(ask(story, after_version=after, page_size=3)) for after in (0, 3, 6)]

    assert [[event.version for event in page.events] for page in pages] == [[1, 2, 3], [4, 5, 6], [7, 8]]
    assert [page.more for page in pages] == [True, True, False]
    assert all(page.chain_ok for page in pages)


async def test_a_page_behind_the_end_is_empty_and_whole(desk: Desk) -> None:
    story = await Story(desk.store).tell()

    page = await desk.stub.ListHistory(ask(story, after_version=7))

    assert (list(page.events), page.more, page.chain_ok) == ([], False, True)


async def test_one_edited_letter_is_found_and_named(desk: Desk, database: str) -> None:
    story = await Story(desk.store).finish()
    await edit(
        database,
        "update ledger.events set payload = replace(payload, 'ex', 'ey') where stream = $1 and version = 2",
        story.stream,
    )

    history = await desk.stub.ListHistory(ask(story))
    behind = await desk.stub.ListHistory(ask(story, after_version=2))

    assert not history.chain_ok
    assert history.chain_error == "version 2 (StepScheduled) does not have the hash recorded for it"
    assert behind.chain_ok


async def test_an_event_cut_out_of_the_middle_is_found_and_named(desk: Desk, database: str) -> None:
    story = await Story(desk.store).finish()
    await edit(database, "delete from ledger.events where stream = $1 and version = 3", story.stream)

    history = await desk.stub.ListHistory(ask(story))
    behind = await desk.stub.ListHistory(ask(story, after_version=3))

    assert not history.chain_ok
    assert history.chain_error == "version 3 is missing: the next event is version 4"
    assert (behind.chain_ok, behind.chain_error) == (False, "version 3 is missing")


async def test_a_history_that_is_no_json_any_more_is_still_listed(desk: Desk, database: str) -> None:
    story = await Story(desk.store).finish()
    await edit(
        database, "update ledger.events set payload = '{' where stream = $1 and version = 3", story.stream
    )

    history = await desk.stub.ListHistory(ask(story))

    assert len(history.events) == story.version
    assert history.chain_error.startswith("version 3 ")


@pytest.mark.parametrize("field", ["after_version", "page_size"])
async def test_negative_numbers_are_refused(desk: Desk, field: str) -> None:
    story = await Story(desk.store).tell()

    message = await refused(
        desk.stub.ListHistory(ask(story, **{field: -1})), grpc.StatusCode.INVALID_ARGUMENT
    )

    assert message == f"{field} is -1, but must be 0 or more"


async def test_every_version_can_be_replayed_in_any_order(desk: Desk) -> None:
    story = await Story(desk.store).finish()

    for version in (4, 1, 6, 2, 5, 3):
        shown = await desk.stub.ReplayRun(replay(story, version))
        expected = fold_until(story.game.history, version)
        assert (shown.run.version, shown.run.status) == (version, expected.status)
        assert [step.status for step in shown.steps] == [step.status for step in expected.steps]
        assert shown.event.version == version


async def test_version_zero_replays_the_newest_state(desk: Desk) -> None:
    story = await Story(desk.store).finish()

    shown = await desk.stub.ReplayRun(replay(story, 0))
    now = await desk.stub.GetRun(pb.GetRunRequest(workspace="lab", run_id=story.run_id))

    assert (shown.run, list(shown.steps)) == (now.run, list(now.steps))
    assert shown.event.type == "RunCompleted"


@pytest.mark.parametrize("version", [-1, 9])
async def test_a_version_that_does_not_exist_is_out_of_range(desk: Desk, version: int) -> None:
    story = await Story(desk.store).finish()

    message = await refused(desk.stub.ReplayRun(replay(story, version)), grpc.StatusCode.OUT_OF_RANGE)

    assert message == f"run {story.run_id} has no version {version}; there are the versions 1 to 8"


async def test_a_long_history_comes_in_pages_that_are_whole(desk: Desk) -> None:
    story = await Story(desk.store, wide(600)).finish(at_once=True)

    first = await desk.stub.ListHistory(ask(story))
    last = await desk.stub.ListHistory(ask(story, after_version=1000, page_size=10_000))

    assert (len(first.events), first.more, first.chain_ok) == (1000, True, True)
    assert (last.events[-1].version, last.more, last.chain_ok) == (story.version, False, True)


async def test_a_page_ends_early_rather_than_become_too_large_a_message(desk: Desk) -> None:
    story = await Story(desk.store, wide(100)).finish(at_once=True, value="x" * 60_000)

    page = await desk.stub.ListHistory(ask(story))
    rest = await desk.stub.ListHistory(ask(story, after_version=page.events[-1].version))

    assert page.more
    assert not rest.more
    assert len(page.events) + len(rest.events) == story.version
