"""What becomes of those who ask and watch when something else is away."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import grpc
from tests.integration.recorder.desk import Desk, open_desk, refused, token
from tests.integration.recorder.stories import Story
from tests.servers import Running
from tests.waiting import until

from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.api.recorder.v1.recorder_service_pb2_grpc import RecorderServiceStub
from foldline.chassis import rpc
from foldline.cli.stack.postgres import EmbeddedPostgres


async def watch(desk: Desk, story: Story, updates: list[pb.WatchRunResponse]) -> None:
    request = pb.WatchRunRequest(workspace="lab", run_id=story.run_id)
    async for update in desk.stub.WatchRun(request):
        updates.append(update)  # noqa: PERF401 - looked at while they come


def versions(updates: list[pb.WatchRunResponse]) -> list[int]:
    return [event.version for update in updates for event in update.events]


async def is_back(desk: Desk) -> bool:
    try:
        await desk.listed()
    except grpc.aio.AioRpcError:
        return False
    return True


async def test_a_crash_of_postgres_is_unavailable_to_some_and_a_pause_to_those_who_watch(
    own_postgres: Running[EmbeddedPostgres], nats_server: str, tmp_path: Path
) -> None:
    updates: list[pb.WatchRunResponse] = []
    async with open_desk(own_postgres.server.dsn(), nats_server, tmp_path / "artifacts") as desk:
        story = await Story(desk.store).tell()
        watching = asyncio.create_task(watch(desk, story, updates))
        await until(lambda: len(updates) == 1)

        own_postgres.kill()
        for call in (
            desk.stub.GetRun(pb.GetRunRequest(workspace="lab", run_id=story.run_id)),
            desk.stub.ListRuns(pb.ListRunsRequest(workspace="lab")),
            desk.stub.GetRun(pb.GetRunRequest(workspace="lab", run_id=story.run_id[:8])),
        ):
            await refused(call, grpc.StatusCode.UNAVAILABLE)
        await asyncio.to_thread(own_postgres.start)
        await until(lambda: is_back(desk), timeout=20)
        await story.finish()
        await asyncio.wait_for(watching, 20)

        async def it_is_listed() -> None:
            assert [run.status for run in await desk.listed()] == ["completed"]

        await until(it_is_listed)

    assert versions(updates) == list(range(1, story.version + 1))


async def test_who_watches_need_not_wait_for_the_lists(desk: Desk, database: str) -> None:
    story = await Story(desk.store).tell()
    updates: list[pb.WatchRunResponse] = []
    watching = asyncio.create_task(watch(desk, story, updates))
    await until(lambda: len(updates) == 1)
    connection = await asyncpg.connect(database)

    await connection.execute("alter table recorder.runs rename to away")
    await story.finish()
    await asyncio.wait_for(watching, 20)

    assert versions(updates) == list(range(1, story.version + 1))
    await connection.execute("alter table recorder.away rename to runs")
    await connection.close()


async def test_a_recorder_that_ends_tells_those_who_watch_to_come_back(
    database: str, nats_server: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as client:
        async with open_desk(database, nats_server, tmp_path) as desk:
            story = await Story(desk.store).tell()
            request = pb.WatchRunRequest(workspace="lab", run_id=story.run_id)
            channel = await client.enter_async_context(rpc.channel(desk.address, token({"lab": "viewer"})))
            call = aiter(RecorderServiceStub(channel).WatchRun(request))
            await anext(call)

        message = await refused(anext(call), grpc.StatusCode.UNAVAILABLE)

    assert message == "the server is shutting down; connect again"
