"""A run of another workspace is one that is not there, whichever way it is asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from tests.integration.recorder.desk import Desk, read_all, refused, token
from tests.integration.recorder.stories import Story
from tests.waiting import until

from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.api.recorder.v1.recorder_service_pb2_grpc import RecorderServiceStub
from foldline.bus.port import Message
from foldline.chassis import rpc

if TYPE_CHECKING:  # the generated stub of asynchronous channels is a type alone
    from foldline.api.recorder.v1.recorder_service_pb2_grpc import RecorderServiceAsyncStub

Question = Callable[["RecorderServiceAsyncStub", dict[str, Any]], Awaitable[object]]

QUESTIONS: dict[str, Question] = {
    "GetRun": lambda stub, run: stub.GetRun(pb.GetRunRequest(**run)),
    "ListHistory": lambda stub, run: stub.ListHistory(pb.ListHistoryRequest(**run)),
    "ReplayRun": lambda stub, run: stub.ReplayRun(pb.ReplayRunRequest(**run)),
    "WatchRun": lambda stub, run: read_all(stub.WatchRun(pb.WatchRunRequest(**run))),
    "ReadLog": lambda stub, run: read_all(stub.ReadLog(pb.ReadLogRequest(step="a", **run))),
    "ReadArtifact": lambda stub, run: read_all(
        stub.ReadArtifact(pb.ReadArtifactRequest(step="a", output="output", **run))
    ),
}


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_run_of_another_workspace_is_not_found(desk: Desk, question: str) -> None:
    theirs = await Story(desk.store, workspace="other").finish()
    mine = await Story(desk.store).tell()

    async def mine_is_listed() -> None:
        assert [run.run_id for run in await desk.listed()] == [mine.run_id]

    await until(mine_is_listed)
    for given in (theirs.run_id, theirs.run_id[:-1]):
        asked = QUESTIONS[question](desk.stub, {"workspace": "lab", "run_id": given})
        assert await refused(asked, grpc.StatusCode.NOT_FOUND) == f"workspace lab has no run {given}"


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_token_of_one_workspace_opens_no_other(desk: Desk, question: str) -> None:
    theirs = await Story(desk.store, workspace="other").finish()

    asked = QUESTIONS[question](desk.stub, {"workspace": "other", "run_id": theirs.run_id})

    await refused(asked, grpc.StatusCode.PERMISSION_DENIED)


async def test_parked_messages_are_for_the_admin_of_the_installation(desk: Desk) -> None:
    await desk.bus.park(Message("foldline.report.1", b"rubbish"), "not a Report")
    request = pb.ListParkedMessagesRequest()

    await refused(desk.stub.ListParkedMessages(request), grpc.StatusCode.PERMISSION_DENIED)
    async with rpc.channel(desk.address, token({"*": "admin"})) as channel:
        answer = await RecorderServiceStub(channel).ListParkedMessages(request)

    assert [(one.subject, one.reason, one.body) for one in answer.messages] == [
        ("foldline.report.1", "not a Report", b"rubbish")
    ]
