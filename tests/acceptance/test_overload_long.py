"""10,000 runs submitted at once, with everything else that is slow: by hand, for minutes (docs/overload.md).

    python -m pytest -m long -s tests/acceptance/test_overload_long.py

It prints the memory of each process (MiB, PSS, with what it has started): idle, at most, and at the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import grpc
import psutil
import pytest
from tests.acceptance import floods
from tests.acceptance.installation import WORKFLOWS, Installation, installed
from tests.waiting import until

from foldline.api.recorder.v1 import recorder_service_pb2 as recorder
from foldline.api.recorder.v1.recorder_service_pb2_grpc import RecorderServiceStub
from foldline.bus import jetstream
from foldline.bus.port import Consumer, Message
from foldline.cli.stack.nats import EmbeddedNats
from foldline.domain.errors import FoldlineError, Kind
from foldline.sdk.client import Client

RUNS = int(os.environ.get("OVERLOAD_RUNS", "10000"))  # noqa: TID251 - of a test that is run by hand
MOST_MIB = 1500
SLOW_READERS = 30

pytestmark = [pytest.mark.timeout(1800), pytest.mark.long]


@pytest.fixture(scope="module")
def usual() -> Iterator[Installation]:
    """An installation as anybody has it."""
    folder = Path(tempfile.mkdtemp(prefix="foldline-"))
    try:
        with installed(folder / "home") as installation:
            installation.ask("workspace", "create", "small")
            for workspace in ("default", "small"):
                file = str(WORKFLOWS / "floods.py")
                installation.ask("release", file, "--workflow", "tiny", workspace=workspace)
            yield installation
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def test_ten_thousand_runs_at_once(usual: Installation) -> None:
    async with floods.client(usual, "default") as many, floods.client(usual, "small") as small:
        await is_completed(small, await small.runs.start("tiny"))
        idle = floods.memory(usual)
        most: Counter[str] = Counter()
        refused: Counter[str] = Counter()
        async with AsyncExitStack() as hurting, asyncio.TaskGroup() as tasks:
            sampling = tasks.create_task(sample(usual, most))
            hurting.callback(sampling.cancel)
            await hurting.enter_async_context(stuck_consumer(usual))
            starts = [tasks.create_task(start(many, refused)) for _ in range(RUNS)]
            first = await next(asyncio.as_completed(starts))
            channel = await hurting.enter_async_context(floods.raw(usual))
            for _ in range(SLOW_READERS):
                await hurting.enter_async_context(idle_watcher(channel, first))
            own = await start(small, refused)
            await is_completed(small, own)
            ended_before = (await floods.order_of_ends(usual.dsn)).count("default")
            for _ in range(5):
                await stop_postgres_for_a_moment(usual)
            run_ids = [await one for one in starts]
            await until(lambda: count_of_ends(usual, RUNS), 1500)
            sampling.cancel()
        ends = await floods.order_of_ends(usual.dsn)
        after = floods.memory(usual)

    told = f"{RUNS} runs, refused {dict(refused)}, ended before the small one: {ended_before}"
    sys.stdout.write("\n".join(["", told, *table(idle, most, after), ""]))
    assert len(set(run_ids)) == RUNS
    assert Counter(ends) == {"default": RUNS, "small": 2}
    assert ended_before < RUNS
    assert set(refused) <= {"TOO_MANY_RUNS", "TOO_MANY_CALLS", "LEDGER_BEHIND"}
    assert most["all"] < MOST_MIB


def table(idle: dict[str, float], most: Counter[str], after: dict[str, float]) -> list[str]:
    idle, after = idle | {"all": sum(idle.values())}, after | {"all": sum(after.values())}
    rows = [f"{name:12} {idle[name]:7.0f} {most[name]:7.0f} {after[name]:7.0f}" for name in idle]
    return [f"{'process':12} {'idle':>7} {'at most':>7} {'after':>7}", *rows]


async def start(client: Client, refused: Counter[str]) -> str:
    """By a client that comes again for as long as it takes."""
    request_id = f"{random.getrandbits(64):x}"
    while True:
        try:
            return await client.runs.start("tiny", request_id=request_id)
        except FoldlineError as error:
            if error.kind not in (Kind.EXHAUSTED, Kind.UNAVAILABLE):
                raise
            if error.kind is Kind.EXHAUSTED:
                refused[error.reason] += 1
            await asyncio.sleep(error.retry_seconds or 1)


async def is_completed(client: Client, run_id: str) -> None:
    async def check() -> bool:
        try:
            return (await client.runs.get(run_id)).run.status == "completed"
        except FoldlineError as error:
            if error.kind is Kind.NOT_FOUND:
                return False  # the recorder has not heard of it yet
            raise

    await until(check, 300)


async def count_of_ends(installation: Installation, count: int) -> bool:
    await asyncio.sleep(1)  # the question itself is work
    return (await floods.order_of_ends(installation.dsn)).count("default") >= count


async def sample(installation: Installation, most: Counter[str]) -> None:
    while True:
        found = await asyncio.to_thread(floods.memory, installation)
        found["all"] = sum(found.values())
        for name, size in found.items():
            most[name] = max(most[name], round(size))
        await asyncio.sleep(1)


async def stop_postgres_for_a_moment(installation: Installation) -> None:
    """SIGSTOP to all that serves connections, as a disk that does not answer."""
    them = psutil.Process(floods.pid(installation, "postgres")).children()
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for one in them:
            if one.is_running():
                one.send_signal(number)
        await asyncio.sleep(2)


@asynccontextmanager
async def idle_watcher(channel: grpc.aio.Channel, run_id: str) -> AsyncIterator[None]:
    call = RecorderServiceStub(channel).WatchRun(recorder.WatchRunRequest(workspace="default", run_id=run_id))
    yield
    call.cancel()


@asynccontextmanager
async def stuck_consumer(installation: Installation) -> AsyncIterator[None]:
    """A reader of the facts that never gets done with the first one."""
    ports = json.loads(installation.home.ports.read_text())
    nats = EmbeddedNats(installation.home.nats, port=ports["nats"])

    async def handle(_message: Message) -> None:
        await asyncio.Event().wait()

    async with jetstream.connect(nats.url, name="stuck") as bus:
        reader = await bus.consume(Consumer(name="stuck", subject="foldline.event.>"), partial(handle))
        yield
        await reader.close()
