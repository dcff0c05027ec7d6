"""Runs inside steps of other runs: records of their own, apart from what somebody started."""

from __future__ import annotations

import grpc
import pytest
from tests.integration.recorder.desk import Desk, read_all, refused
from tests.integration.recorder.worlds import Tale
from tests.unit.domain.test_forms import graph, map_step, repeat_step
from tests.waiting import until

from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.domain.spec import Binding


def get(run_id: str) -> pb.GetRunRequest:
    return pb.GetRunRequest(workspace="lab", run_id=run_id)


async def mapped(desk: Desk, items: int = 250) -> Tale:
    """A map over so many items, in children of a hundred at most."""
    return await Tale(desk.store, graph(map_step(Binding(value=list(range(items)))))).run()


async def test_only_what_somebody_started_is_listed_until_the_inner_runs_are_asked_for(desk: Desk) -> None:
    tale = await mapped(desk)

    async def all_are_there() -> list[str]:
        inner = await desk.listed(parent_run_id=tale.run_id)
        assert [run.status for run in inner] == ["completed"] * 3
        return [run.run_id for run in inner]

    assert await until(all_are_there) == [f"{tale.run_id}.each.1.{index}" for index in (2, 1, 0)]
    assert [run.run_id for run in await desk.listed()] == [tale.run_id]
    assert [run.run_id for run in await desk.listed(workflow="example")] == [tale.run_id]
    assert await desk.listed(parent_run_id=tale.run_id, status="failed") == []


async def test_the_parent_counts_what_is_inside_it(desk: Desk) -> None:
    tale = await mapped(desk)

    (each,) = (await desk.stub.GetRun(get(tale.run_id))).steps

    counted = each.children
    assert (counted.total, counted.started, counted.open) == (3, 3, 0)
    assert (counted.items, counted.succeeded, counted.failed) == (250, 250, 0)
    assert list(counted.run_ids) == [f"{tale.run_id}.each.1.{index}" for index in (2, 1, 0)]


async def test_an_inner_run_says_what_it_is_a_part_of_and_has_the_steps_of_its_items(desk: Desk) -> None:
    tale = await mapped(desk)

    shown = await desk.stub.GetRun(get(f"{tale.run_id}.each.1.2"))

    parent = shown.run.parent
    assert (parent.run_id, parent.step, parent.index, parent.first) == (tale.run_id, "each", 2, 200)
    assert [step.name for step in shown.steps] == [f"double.{number}" for number in range(200, 250)]
    assert [step.name for step in shown.graph.steps] == [step.name for step in shown.steps]
    assert dict(shown.run.parameters) == {}


async def test_of_many_inner_runs_the_newest_hundred_are_named(desk: Desk) -> None:
    tale = await Tale(desk.store, graph(repeat_step(2.0**120, maximum=200))).run()

    (loop,) = (await desk.stub.GetRun(get(tale.run_id))).steps

    assert loop.children.started == 120
    assert len(loop.children.run_ids) == 100
    assert loop.children.run_ids[0] == f"{tale.run_id}.loop.1.119"


async def test_a_beginning_that_a_run_shares_with_those_inside_it_means_the_run(desk: Desk) -> None:
    tale = Tale(
        desk.store,
        graph(map_step(Binding(value=[1]))),
        run_id="bbbbbb10-0000-7000-8000-000000000001",
    )
    await tale.run()

    async def listed() -> None:
        assert len(await desk.listed(parent_run_id=tale.run_id)) == 1

    await until(listed)

    assert (await desk.stub.GetRun(get("bbbbbb"))).run.run_id == tale.run_id
    inner = await desk.stub.GetRun(get("bbbbbb.each.1.0"))
    assert inner.run.run_id == f"{tale.run_id}.each.1.0"
    message = await refused(desk.stub.GetRun(get("bbbbbb.each.1.7")), grpc.StatusCode.NOT_FOUND)
    assert message == "workspace lab has no run bbbbbb.each.1.7"


async def test_an_inner_run_is_watched_and_replayed_like_any_other(desk: Desk) -> None:
    tale = await mapped(desk, items=1)
    inner = f"{tale.run_id}.each.1.0"

    updates = await read_all(desk.stub.WatchRun(pb.WatchRunRequest(workspace="lab", run_id=inner)))
    first = await desk.stub.ReplayRun(pb.ReplayRunRequest(workspace="lab", run_id=inner, version=1))
    history = await desk.stub.ListHistory(pb.ListHistoryRequest(workspace="lab", run_id=tale.run_id))

    assert updates[-1].run.status == "completed"
    assert first.run.status == "created"
    assert history.chain_ok
    assert [event.type for event in history.events] == [
        "RunCreated",
        "StepExpanded",
        "ChildStarted",
        "ChildEnded",
        "AttemptSucceeded",
        "RunCompleted",
    ]


@pytest.mark.parametrize("parent", ["cccccc", "00000000-0000-7000-8000-000000000001"])
async def test_inner_runs_of_an_unknown_run_are_not_found(desk: Desk, parent: str) -> None:
    request = pb.ListRunsRequest(workspace="lab", parent_run_id=parent)

    message = await refused(desk.stub.ListRuns(request), grpc.StatusCode.NOT_FOUND)

    assert message == f"workspace lab has no run {parent}"
