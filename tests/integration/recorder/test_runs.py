"""Runs: asked for one by one, and in lists."""

from __future__ import annotations

import grpc
import pytest
from tests.integration.recorder.desk import Desk, refused
from tests.integration.recorder.stories import Story
from tests.unit.domain.graphs import failure
from tests.waiting import until

from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.eventstore.port import NewEvent


def get(run_id: str, workspace: str = "lab") -> pb.GetRunRequest:
    return pb.GetRunRequest(workspace=workspace, run_id=run_id)


async def test_a_run_is_shown_with_everything_that_was_committed_before_the_question(desk: Desk) -> None:
    story = await Story(desk.store, rate=0.5).tell()
    story.game.schedule()
    await story.tell()

    shown = await desk.stub.GetRun(get(story.run_id))

    assert (shown.run.run_id, shown.run.workspace, shown.run.workflow) == (story.run_id, "lab", "digits")
    assert (shown.run.status, shown.run.version, shown.run.started_by) == ("running", 2, "ada")
    assert dict(shown.run.step_counts) == {"scheduled": 1, "waiting": 1}
    assert shown.run.parameters["rate"] == 0.5
    assert [(step.name, step.kind, step.status) for step in shown.steps] == [
        ("a", "function", "scheduled"),
        ("b", "function", "waiting"),
    ]
    assert shown.steps[0].attempts[0].executor == "ex"
    assert [step.name for step in shown.graph.steps] == ["a", "b"]
    assert not shown.run.HasField("end_time")


async def test_a_failed_run_says_why(desk: Desk) -> None:
    story = Story(desk.store)
    story.game.schedule()
    story.game.fail("a", failure(traceback="Traceback: …"))
    await story.tell()

    shown = await desk.stub.GetRun(get(story.run_id))

    assert shown.run.status == "failed"
    assert shown.run.failure.traceback == "Traceback: …"
    assert [step.status for step in shown.steps] == ["failed", "stopped"]
    assert shown.steps[0].attempts[0].failure.reason == "STEP_RAISED"
    assert shown.run.HasField("end_time")


async def test_runs_are_listed_newest_first_and_by_workflow_and_status(desk: Desk) -> None:
    first = await Story(desk.store).finish()
    second = await Story(desk.store, workflow="other").tell()
    third = await Story(desk.store).tell()

    async def all_are_listed() -> None:
        runs = [(run.run_id, run.status) for run in await desk.listed()]
        assert runs == [
            (third.run_id, "created"),
            (second.run_id, "created"),
            (first.run_id, "completed"),
        ]

    await until(all_are_listed)
    assert [run.run_id for run in await desk.listed(workflow="other")] == [second.run_id]
    assert [run.run_id for run in await desk.listed(status="completed")] == [first.run_id]
    assert await desk.listed(status="failed") == []


async def test_a_list_says_of_a_run_what_the_run_says_of_itself(desk: Desk) -> None:
    story = await Story(desk.store, rate=0.5, name="a\x00b").finish()

    async def listed() -> pb.Run:
        runs = await desk.listed()
        assert [run.status for run in runs] == ["completed"]
        return runs[0]

    assert await until(listed) == (await desk.stub.GetRun(get(story.run_id))).run


async def test_pages_of_a_list_meet_without_gap_or_overlap(desk: Desk) -> None:
    stories = [await Story(desk.store).tell() for _ in range(5)]

    async def listed() -> None:
        assert len(await desk.listed()) == 5

    await until(listed)
    found: list[str] = []
    tokens = [""]
    while tokens[-1] or len(tokens) == 1:
        page = await desk.stub.ListRuns(
            pb.ListRunsRequest(workspace="lab", page_size=2, page_token=tokens[-1])
        )
        found += [run.run_id for run in page.runs]
        tokens.append(page.next_page_token)

    assert found == [story.run_id for story in reversed(stories)]
    assert len(tokens) == 4


@pytest.mark.parametrize("token", ["x", "1", "1.x", "-1.0", f"{2**64}.0", f"0.{2**63}"])
async def test_a_page_token_that_was_made_up_is_refused(desk: Desk, token: str) -> None:
    request = pb.ListRunsRequest(workspace="lab", page_token=token)

    assert "is no page token" in await refused(desk.stub.ListRuns(request), grpc.StatusCode.INVALID_ARGUMENT)


async def test_a_status_that_no_run_can_have_is_refused(desk: Desk) -> None:
    request = pb.ListRunsRequest(workspace="lab", status="done")

    assert await refused(desk.stub.ListRuns(request), grpc.StatusCode.INVALID_ARGUMENT) == (
        "'done' is no status of a run; there are created, running, paused, stopping, ending, "
        "completed, failed, stopped"
    )


async def test_a_run_is_found_by_a_unique_beginning_of_its_id(desk: Desk) -> None:
    story = await Story(desk.store, run_id="aaaaaa10-0000-7000-8000-000000000001").tell()
    await Story(desk.store, run_id="aaaaaa20-0000-7000-8000-000000000001").tell()

    async def listed() -> None:
        assert len(await desk.listed()) == 2

    await until(listed)

    assert (await desk.stub.GetRun(get("AAAAAA1"))).run.run_id == story.run_id
    assert "has no run aaaaaa3" in await refused(desk.stub.GetRun(get("aaaaaa3")), grpc.StatusCode.NOT_FOUND)
    assert "has no run 100%__" in await refused(desk.stub.GetRun(get("100%__")), grpc.StatusCode.NOT_FOUND)
    message = await refused(desk.stub.GetRun(get("aaaaaa")), grpc.StatusCode.INVALID_ARGUMENT)
    assert message.startswith("more than one run of workspace lab begins with aaaaaa: aaaaaa10-")
    message = await refused(desk.stub.GetRun(get("aaaaa")), grpc.StatusCode.INVALID_ARGUMENT)
    assert "at least its first 6 characters" in message


async def test_an_event_that_nobody_can_read_holds_up_its_own_run_alone(desk: Desk) -> None:
    broken = await Story(desk.store).tell()
    strange = NewEvent(
        broken.run_id, "StepTeleported", broken.game.now, "{}", '{"actor":"x","workspace":"lab"}'
    )
    await desk.store.append(broken.stream, broken.head, [strange])
    whole = await Story(desk.store).finish()

    async def both_are_listed() -> None:
        runs = [(run.run_id, run.status, run.version) for run in await desk.listed()]
        assert runs == [(whole.run_id, "completed", whole.version), (broken.run_id, "created", 1)]

    await until(both_are_listed)
    message = await refused(desk.stub.GetRun(get(broken.run_id)), grpc.StatusCode.INTERNAL)
    assert "cannot be folded beyond version 1" in message
    assert "StepTeleported" in message
    history = await desk.stub.ListHistory(pb.ListHistoryRequest(workspace="lab", run_id=broken.run_id))
    assert [event.type for event in history.events] == ["RunCreated", "StepTeleported"]
    assert history.chain_ok
