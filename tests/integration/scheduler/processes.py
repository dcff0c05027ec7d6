"""Schedulers as processes on one ledger, with a scripted registry and an executor that holds what it does."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from tests.integration.scheduler.scripted import DONE
from tests.integration.scheduler.starters import KEY, REGISTRY, ScriptedRegistry
from tests.waiting import until

from foldline.access import tokens
from foldline.bus import subjects
from foldline.bus.port import Bus, Message
from foldline.chassis import rpc
from foldline.chassis.clock import SystemClock
from foldline.chassis.lifecycle import Lifecycle
from foldline.cli.stack.ports import free_port
from foldline.domain.spec import Graph
from foldline.domain.work import AttemptKey, Claim, Heartbeat, Report, ReportAck, Work
from foldline.pg.connect import Pool
from foldline.sdk.client import Client
from foldline.wire import failures
from foldline.wire import work as wire
from foldline_scheduler.partitions import partition_of

LEASE_SECONDS = 2.0
BEAT_SECONDS = 0.2
WORK_SECONDS = 0.05


class Scheduler:
    """A scheduler process, and a client of it."""

    def __init__(self, process: asyncio.subprocess.Process, client: Client) -> None:
        self.process = process
        self.client = client


class Worker:
    """Does every attempt once, for a moment each, and says so until that is acknowledged."""

    def __init__(self, bus: Bus, slots: int) -> None:
        self.started: Counter[AttemptKey] = Counter()
        self.most = 0  # attempts at the same time
        self._bus = bus
        self._slots = slots
        self._held: dict[AttemptKey, Work] = {}
        self._reports: dict[AttemptKey, Report] = {}
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            heard = [
                await self._bus.subscribe(subjects.work("worker"), self._take(tasks)),
                await self._bus.subscribe(subjects.ack("worker"), self._on_ack),
            ]
            beating = tasks.create_task(self._beat())
            yield
            beating.cancel()
            for one in heard:
                await one.close()

    def _take(self, tasks: asyncio.TaskGroup):  # type: ignore[no-untyped-def]  # a closure of the bus' type
        async def on_work(message: Message) -> None:
            for work in wire.decode_all(Work, message.body):
                if work.key in self.started:
                    continue
                self.started[work.key] += 1
                self._held[work.key] = work
                self.most = max(self.most, len(self._held.keys() - self._reports.keys()))
                self._changed.set()
                tasks.create_task(self._do(work))

        return on_work

    async def _do(self, work: Work) -> None:
        await asyncio.sleep(WORK_SECONDS)
        report = Report(key=work.key, session="worker", kind="succeeded", outputs={"output": DONE})
        self._reports[work.key] = report
        await self._tell(report)

    async def _tell(self, report: Report) -> None:
        subject = subjects.report(partition_of(report.key.run_id))
        await self._bus.publish(subject, wire.encode_all([report]))

    async def _on_ack(self, message: Message) -> None:
        for ack in wire.decode_all(ReportAck, message.body):
            self._reports.pop(ack.key, None)
            self._held.pop(ack.key, None)

    async def _beat(self) -> None:
        while True:
            self._changed.clear()
            held = tuple(self._held.values())
            beat = Heartbeat(
                session="worker",
                name="worker",
                region="local",
                pool="default",
                slots=self._slots,
                held=tuple(work.key for work in held),
                claims=tuple(Claim(workspace=work.workspace, workflow=work.workflow) for work in held),
            )
            await self._bus.publish(subjects.HEARTBEAT, wire.encode(beat))
            for report in list(self._reports.values()):
                await self._tell(report)
            try:
                async with asyncio.timeout(BEAT_SECONDS):
                    await self._changed.wait()
                await asyncio.sleep(0.02)
            except TimeoutError:
                continue


@asynccontextmanager
async def registry(graph: Graph) -> AsyncIterator[str]:
    """The address of a registry whose workflow f is the graph."""
    life = Lifecycle()
    life.ready.set()
    one = ScriptedRegistry(SystemClock(), graph)
    service = rpc.Service(REGISTRY, one.add_to, one)
    async with rpc.serve("127.0.0.1:0", [service], life=life, translate=failures.to_status) as port:
        yield f"127.0.0.1:{port}"


@asynccontextmanager
async def scheduler(
    database: str, nats: str, registry_address: str, folder: Path, limits: dict[str, dict[str, int]]
) -> AsyncIterator[Scheduler]:
    """A process that serves; killed at the end."""
    address = f"127.0.0.1:{free_port()}"
    settings = {
        "POSTGRES": database,
        "NATS": nats,
        "TOKEN_KEY": KEY,
        "REGISTRY": registry_address,
        "ARTIFACTS": str(folder / "artifacts"),
        "LISTEN": address,
        "LEASE_SECONDS": str(LEASE_SECONDS),
        "LIMITS": msgspec.json.encode(limits).decode(),
    }
    token = tokens.issue(
        KEY, subject="ada", grants={"w": "operator"}, ttl_seconds=3600, now=SystemClock().now()
    )
    with (folder / f"{address}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "foldline_scheduler",
            env={**os.environ, **{f"FOLDLINE_{name}": text for name, text in settings.items()}},  # noqa: TID251 - the child's
            stdout=log,
            stderr=log,
        )
        try:
            async with Client(address, token, workspace="w") as client:
                yield Scheduler(process, client)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def owners(pool: Pool) -> dict[int, str]:
    """Who has which partition now."""
    rows = await pool.fetch(
        "select partition, owner from scheduler.partitions where owner in"
        " (select name from scheduler.members where expires_at > now())"
    )
    return {row["partition"]: row["owner"] for row in rows}


async def until_shared(pool: Pool, count: int) -> dict[int, str]:
    """Wait until so many schedulers have a part of all partitions each."""

    async def check() -> dict[int, str]:
        found = await owners(pool)
        assert len(found) == 16
        assert len(set(found.values())) == count
        return found

    return await until(check, timeout=30)
