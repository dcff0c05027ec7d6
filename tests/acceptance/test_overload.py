"""Too much to do: it is refused with a word when to come again, memory stays bounded, others get on."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import grpc
import pytest
from tests.acceptance import floods
from tests.acceptance.installation import WORKFLOWS, Installation, installed
from tests.memory import Peak
from tests.waiting import until

from foldline.api.recorder.v1 import recorder_service_pb2 as recorder
from foldline.api.recorder.v1.recorder_service_pb2_grpc import RecorderServiceStub
from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
from foldline.api.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from foldline.domain.errors import FoldlineError, Kind
from foldline.sdk.client import Client

BACKLOG, CALLS = 40, 60
MIB = 1024 * 1024

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def small_one() -> Iterator[Installation]:
    """An installation that has soon too much to do."""
    folder = Path(tempfile.mkdtemp(prefix="foldline-"))
    bounds = {"FOLDLINE_BACKLOG": str(BACKLOG), "FOLDLINE_CALLS": str(CALLS)}
    try:
        with installed(folder / "home", "--slots", "2", settings=bounds) as installation:
            installation.ask("workspace", "create", "small")
            file = str(WORKFLOWS / "floods.py")
            for workspace, workflow in (("default", "tiny"), ("default", "talking"), ("small", "tiny")):
                installation.ask("release", file, "--workflow", workflow, workspace=workspace)
            yield installation
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def ended(client: Client, run_id: str) -> str:
    return (await client.runs.get(run_id)).run.status


async def all_completed(client: Client, run_ids: list[str]) -> None:
    for run_id in run_ids:
        await until(partial(_is_completed, client, run_id), 120)


async def _is_completed(client: Client, run_id: str) -> bool:
    return await ended(client, run_id) == "completed"


async def test_a_flood_is_refused_and_a_run_of_another_workspace_gets_through(
    small_one: Installation,
) -> None:
    async with floods.client(small_one, "small") as small, floods.client(small_one, "default") as many:
        await all_completed(small, [await small.runs.start("tiny")])  # everything is warm

        await drain(small, undo=False)
        answers = await floods.flood(small_one, "default", 100)
        more = await floods.flood(small_one, "default", CALLS // 4)
        own = await small.runs.start("tiny")
        await drain(small, undo=True)
        started = [one for one in answers if isinstance(one, str)]
        await all_completed(many, started)
        await all_completed(small, [own])

        refused = [one for one in [*answers, *more] if isinstance(one, FoldlineError)]
        assert BACKLOG // 2 <= len(started) < 100
        assert set(floods.reasons(more)) == {"TOO_MANY_RUNS"}
        assert len(refused) == 100 - len(started) + CALLS // 4
        assert {(one.kind, bool(one.retry_seconds)) for one in refused} == {(Kind.EXHAUSTED, True)}
        # It was started last, and only those ended before it that got a slot with it.
        ends = await floods.order_of_ends(small_one.dsn)
        assert ends[1:].index("small") < len(started) // 2


async def drain(client: Client, *, undo: bool) -> None:
    """Have the executor take nothing new, or go on; returns when the scheduler knows."""
    (executor,) = await client.executors.list()
    await client.executors.drain(executor.name, undo=undo)
    wanted = "ready" if undo else "draining"

    async def is_so() -> bool:
        return [one.state for one in await client.executors.list()] == [wanted]

    await until(is_so)


async def test_clients_with_patience_get_everything_through(small_one: Installation) -> None:
    async with floods.client(small_one, "default") as client:
        run_ids = await asyncio.gather(*(client.runs.start("tiny") for _ in range(BACKLOG)))

        await all_completed(client, list(run_ids))

    assert len(set(run_ids)) == BACKLOG


async def test_requests_that_are_wrong_take_no_memory_and_no_place(small_one: Installation) -> None:
    gateway = Peak(floods.pid(small_one, "gateway"))
    large = pb.StartRunRequest(workspace="default", workflow="w" * (8 * MIB))

    async with floods.raw(small_one, "wrong") as strangers, floods.raw(small_one) as known:
        bad, good = SchedulerServiceStub(strangers).StartRun, SchedulerServiceStub(known).StartRun
        wrong = [
            *(code_of(bad, large) for _ in range(40)),
            *(code_of(good, pb.StartRunRequest()) for _ in range(100)),
        ]
        codes = asyncio.gather(*wrong)
        async with floods.client(small_one, "small") as small:
            await all_completed(small, [await small.runs.start("tiny")])

        assert set(await codes) == {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.INVALID_ARGUMENT}
    assert gateway.growth < 64 * MIB


async def code_of(
    method: grpc.aio.UnaryUnaryMultiCallable[pb.StartRunRequest, pb.StartRunResponse],
    request: pb.StartRunRequest,
) -> grpc.StatusCode:
    try:
        await method(request)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def test_a_step_that_logs_without_end_and_readers_that_do_not_read(small_one: Installation) -> None:
    async with (
        floods.client(small_one, "default") as client,
        floods.client(small_one, "small") as small,
        floods.raw(small_one) as channel,
    ):
        await all_completed(small, [await small.runs.start("tiny")])
        run_id = await client.runs.start("talking")
        peaks = [Peak(floods.pid(small_one, name)) for name in ("recorder", "gateway", "scheduler")]
        async with AsyncExitStack() as readers:
            for _ in range(5):
                await readers.enter_async_context(idle_reader(channel, run_id))
            await until(lambda: has_lines(client, run_id, 100_000), 60)
            await all_completed(small, [await small.runs.start("tiny")])
        await client.operations.stop(run_id)
        await until(lambda: is_stopped(client, run_id), 60)

    # 100,000 lines are 20 MiB, for each of five readers.
    assert [peak.growth < 50 * MIB for peak in peaks] == [True] * 3, [peak.growth for peak in peaks]


@asynccontextmanager
async def idle_reader(channel: grpc.aio.Channel, run_id: str) -> AsyncIterator[None]:
    call = RecorderServiceStub(channel).ReadLog(
        recorder.ReadLogRequest(workspace="default", run_id=run_id, step="talk", follow=True)
    )
    await call.read()
    yield
    call.cancel()


async def has_lines(client: Client, run_id: str, count: int) -> bool:
    async for answer in client.records.log(run_id, "talk", tail=1):
        if answer.lines and answer.lines[-1].number >= count:
            return True
    return False


async def is_stopped(client: Client, run_id: str) -> bool:
    return await ended(client, run_id) == "stopped"


async def test_a_ledger_that_does_not_answer_is_waited_for(small_one: Installation) -> None:
    async with floods.client(small_one, "default") as client:
        run_ids = list(await asyncio.gather(*(client.runs.start("tiny") for _ in range(30))))
        async with floods.locked_ledger(small_one.dsn):
            flooding = asyncio.ensure_future(floods.flood(small_one, "default", 100))
            await asyncio.sleep(2)  # that long nothing is answered; no test waits for the ledger itself
        answers = await flooding
        started = [one for one in answers if isinstance(one, str)]

        await all_completed(client, [*run_ids, *started])

        assert set(floods.reasons(answers)) <= {"TOO_MANY_RUNS", "TOO_MANY_CALLS"}
        for run_id in run_ids:
            events = [event async for page in client.records.history(run_id) for event in page.events]
            assert [event.type for event in events].count("AttemptSucceeded") == 1
