"""An executor on a real store and home, with the scheduler's side of the bus in the test's hands."""

from __future__ import annotations

import asyncio
import io
import site
import sys
import textwrap
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET
from tests.waiting import until

from foldline import environments
from foldline.artifacts.store import open_store
from foldline.bus import subjects
from foldline.bus.memory import MemoryBus
from foldline.bus.port import Bus, Message
from foldline.chassis.lifecycle import Lifecycle
from foldline.chassis.settings import Secret
from foldline.domain import releases
from foldline.domain.failures import Failure
from foldline.domain.spec import Environment, Function, Output, Timeouts
from foldline.domain.work import (
    AttemptKey,
    Heartbeat,
    Input,
    LogChunk,
    LogEntry,
    Report,
    ReportAck,
    StopAttempt,
    Work,
)
from foldline.wire import work as wire
from foldline_executor.app import serve
from foldline_executor.settings import Settings

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


class Scheduler:
    """What a scheduler says and hears. Acknowledges reports unless told otherwise."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.is_acknowledging = True
        self.keeps_live = True
        self.reports: list[Report] = []
        self.beats: list[Heartbeat] = []
        self.live: list[LogChunk] = []

    async def listen(self) -> None:
        await self.bus.subscribe(subjects.report(0), self._on_report)
        await self.bus.subscribe(subjects.HEARTBEAT, self._on_heartbeat)
        await self.bus.subscribe("foldline.log.>", self._on_log)

    @property
    def session(self) -> str:
        assert self.beats
        return self.beats[-1].session

    async def order(self, work: Work) -> None:
        await self.bus.publish(subjects.work(self.session), wire.encode_all([work]))

    async def stop(self, work: Work, grace_seconds: float = 0.0, *, forced: bool = False) -> None:
        message = StopAttempt(key=work.key, grace_seconds=grace_seconds, forced=forced)
        await self.bus.publish(subjects.stop(self.session), wire.encode(message))

    async def started(self, work: Work) -> Report:
        return await until(lambda: self._find(work, ("started",)), timeout=30)

    async def ended(self, work: Work) -> Report:
        return await until(lambda: self._find(work, ("succeeded", "failed")), timeout=60)

    async def value(self, work: Work) -> Any:
        """The attempt's one output."""
        return (await self.ended(work)).outputs["output"].value

    async def failure(self, work: Work) -> Failure:
        failure = (await self.ended(work)).failure
        assert failure is not UNSET
        return failure

    async def told(self, work: Work) -> Report:
        """The first report of what the attempt tells on its way."""
        return await until(lambda: self._find(work, ("progressed",)), timeout=30)

    async def acknowledge(self, report: Report) -> None:
        ack = ReportAck(key=report.key, kind=report.kind, number=report.number)
        await self.bus.publish(subjects.ack(report.session), wire.encode_all([ack]))

    def kinds(self, work: Work) -> list[str]:
        return [report.kind for report in self.reports if report.key == work.key]

    def _find(self, work: Work, kinds: tuple[str, ...]) -> Report:
        found = [report for report in self.reports if report.key == work.key and report.kind in kinds]
        assert found, f"no {kinds} among {self.kinds(work)}"
        return found[0]

    async def _on_report(self, message: Message) -> None:
        for report in wire.decode_all(Report, message.body):
            self.reports.append(report)
            if self.is_acknowledging:
                await self.acknowledge(report)

    async def _on_heartbeat(self, message: Message) -> None:
        self.beats.append(wire.decode(Heartbeat, message.body))

    async def _on_log(self, message: Message) -> None:
        if self.keeps_live:
            self.live.append(wire.decode(LogChunk, message.body))


class Site:
    """A machine: folders for store and home, with a code bundle and an environment in the store."""

    def __init__(self, root: Path, store: str = "") -> None:
        self.home = root / "home"
        self.artifacts = root / "artifacts"
        self.store = open_store(store or str(self.artifacts))
        self.bundle = ""
        self.environment = ""
        self._number = 0

    def settings(self, *, nats: str = "", **changes: Any) -> Settings:
        settings = Settings(
            nats=Secret(nats),
            artifacts=str(self.artifacts),
            token_key=Secret("0123456789abcdef0123456789abcdef"),
            home=self.home,
            slots=2,
            drain_seconds=0.2,
        )
        return msgspec.structs.replace(settings, **changes)

    async def release(self, code: str) -> None:
        """Put a module `flow` into the store, and an environment that sees this test's own packages."""
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("flow.py", textwrap.dedent(code))
        self.bundle = await self.store.put_bytes(content.getvalue())
        environment = Environment(python=PYTHON, requirements=("packages of the tests",))
        self.environment = await self.store.put_bytes(releases.canonical(environment))
        python = await environments.build(environment, self.home / "envs")
        packages = python.parent.parent / "lib" / f"python{PYTHON}" / "site-packages"
        (packages / "tests.pth").write_text("\n".join(site.getsitepackages()))

    def work(self, function: str, *outputs: str, module: str = "flow", **options: Any) -> Work:
        """A work order for a function of the module, with a key of its own."""
        self._number += 1
        work = Work(
            key=AttemptKey(run_id=f"run-{self._number}", step=function, attempt=1),
            workspace="default",
            workflow="flow",
            function=Function(module=module, name=function),
            bundle=self.bundle,
            environment=self.environment,
            outputs=tuple(Output(name=name) for name in outputs or ("output",)),
        )
        return msgspec.structs.replace(work, **options)

    async def log(self, work: Work) -> list[LogEntry]:
        """The kept log of an ended attempt, checked to be without gaps."""
        key = work.key
        prefix = f"logs/{key.run_id}/{key.attempt}/{key.step}/"
        *pieces, end = await self.store.list_objects(prefix)
        lines: list[LogEntry] = []
        for piece in pieces:
            assert piece == f"{prefix}{len(lines) + 1:012d}.jsonl"
            content = await self.store.read_object(piece)
            lines += [msgspec.json.decode(line, type=LogEntry) for line in content.splitlines()]
        assert end == f"{prefix}end.json"
        assert [line.number for line in lines] == list(range(1, len(lines) + 1))
        assert msgspec.json.decode(await self.store.read_object(end)) == {"lines": len(lines)}
        return lines


def inputs(**values: object) -> dict[str, Input]:
    return {name: Input(value=value) for name, value in values.items()}


def limits(run: float = 0.0, grace: float = 0.0, silence: float = 0.0) -> Timeouts:
    return Timeouts(run_seconds=run, grace_seconds=grace, silence_seconds=silence)


@asynccontextmanager
async def executor(here: Site, bus: Bus | None = None, **changes: Any) -> AsyncIterator[Scheduler]:
    """Serve, and yield the other side once the first heartbeat was heard. Leaving drains."""
    bus = bus or MemoryBus()
    scheduler = Scheduler(bus)
    await scheduler.listen()
    life = Lifecycle()
    async with asyncio.TaskGroup() as tasks:
        served = tasks.create_task(serve(here.settings(**changes), life, store=here.store, bus=bus))
        try:
            await until(lambda: bool(scheduler.beats) or served.done())
            yield scheduler
        finally:
            life.stop.set()
