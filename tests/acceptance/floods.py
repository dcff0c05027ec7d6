"""Making too much to do for an installation, and looking at what that does to its processes."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import psutil
from tests.acceptance.installation import Installation

from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
from foldline.api.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from foldline.chassis.channels import channel
from foldline.domain.errors import FoldlineError
from foldline.sdk.client import Client
from foldline.wire import failures

_ORDER = """
select created.payload::json ->> 'workspace' as workspace
from ledger.events as ended
join ledger.events as created on created.stream = ended.stream and created.version = 1
where ended.type = 'RunCompleted'
order by ended.transaction, ended.number
"""


def client(installation: Installation, workspace: str) -> Client:
    found = installation.client
    return Client(found["server"], found["token"], workspace=workspace)


@asynccontextmanager
async def raw(installation: Installation, token: str = "") -> AsyncIterator[grpc.aio.Channel]:
    """A channel without the patience of the SDK."""
    found = installation.client
    async with channel(found["server"], token or found["token"]) as opened:
        yield opened


async def flood(installation: Installation, workspace: str, count: int) -> list[str | FoldlineError]:
    """So many starts at once by somebody who does not come again: ids of runs, and refusals."""
    async with raw(installation) as opened:
        start = SchedulerServiceStub(opened).StartRun

        async def one() -> str | FoldlineError:
            try:
                return (await start(pb.StartRunRequest(workspace=workspace, workflow="tiny"))).run_id
            except grpc.aio.AioRpcError as error:
                return failures.from_rpc_error(error)

        return await asyncio.gather(*(one() for _ in range(count)))


def reasons(answers: Sequence[str | FoldlineError]) -> Counter[str]:
    return Counter(one.reason for one in answers if isinstance(one, FoldlineError))


async def order_of_ends(dsn: str) -> list[str]:
    """The workspaces of completed runs, in the order in which they ended."""
    connection = await asyncpg.connect(dsn)
    try:
        return [row["workspace"] for row in await connection.fetch(_ORDER)]
    finally:
        await connection.close()


@asynccontextmanager
async def locked_ledger(dsn: str) -> AsyncIterator[None]:
    """Nobody reads or writes the ledger meanwhile; whoever tries waits, as on a disk that does not answer."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute("lock table ledger.events in access exclusive mode")
            yield
    finally:
        await connection.close()


def memory(installation: Installation) -> dict[str, float]:
    """MiB (PSS) of each process of the installation, with those that it started."""
    found: dict[str, float] = {}
    for one in json.loads(installation.home.state.read_text())["processes"]:
        processes = [psutil.Process(one["pid"]), *psutil.Process(one["pid"]).children(recursive=True)]
        found[one["name"]] = sum(_pss(process.pid) for process in processes)
    return found


def _pss(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


def pid(installation: Installation, name: str) -> int:
    found: list[dict[str, Any]] = json.loads(installation.home.state.read_text())["processes"]
    return next(int(one["pid"]) for one in found if one["name"] == name)
