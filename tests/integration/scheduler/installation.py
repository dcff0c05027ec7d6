"""A scheduler without its gRPC: an owner of every partition on a real ledger and real NATS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

from foldline.artifacts.port import ArtifactStore
from foldline.artifacts.store import open_store
from foldline.bus import jetstream, subjects
from foldline.bus.port import Bus
from foldline.chassis import loops
from foldline.chassis.clock import Clock, SystemClock, new_id
from foldline.domain.run_events import RunCreated
from foldline.domain.spec import Graph
from foldline.eventstore import chain, facts
from foldline.eventstore.port import Recorded
from foldline.eventstore.postgres import PostgresEventStore
from foldline.pg import connect
from foldline.pg.connect import Pool
from foldline_scheduler.engine import Base, Engine, assemble
from foldline_scheduler.limits import Limits
from foldline_scheduler.open_runs import OpenRuns
from foldline_scheduler.owner import Owner
from foldline_scheduler.partitions import PARTITIONS
from foldline_scheduler.sizes import Flavors

META = facts.Meta(actor="tester", workspace="w")


class Platform(SimpleNamespace):
    artifacts: ArtifactStore
    pool: Pool
    store: PostgresEventStore
    bus: Bus
    open_runs: OpenRuns


@asynccontextmanager
async def opened(database: str, nats_server: str, tmp_path: Path) -> AsyncIterator[Platform]:
    async with (
        connect.pool(database, role="foldline_scheduler", name="test") as pool,
        PostgresEventStore(pool, database) as store,
        jetstream.connect(nats_server, name="test") as bus,
    ):
        artifacts = open_store(str(tmp_path / "artifacts"))
        yield Platform(store=store, bus=bus, open_runs=OpenRuns(pool, store), artifacts=artifacts, pool=pool)


@asynccontextmanager
async def owner(
    platform: Platform, *, silence: float = 5.0, clock: Clock | None = None
) -> AsyncIterator[Owner]:
    """An owner of every partition, listening as the service does."""
    async with engine(platform, silence=silence, clock=clock) as (driving, _):
        yield driving.owner


@asynccontextmanager
async def engine(
    platform: Platform,
    *,
    silence: float = 5.0,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    flavors: Flavors | None = None,
    clock: Clock | None = None,
    leased: bool = False,
) -> AsyncIterator[tuple[Engine, Base]]:
    """All that drives runs, with what an operator set for queues. `leased`: the test gives it partitions."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        told = clock or SystemClock()
        base = Base(platform.pool, platform.store, platform.bus, platform.artifacts, told, tasks, stop)
        driving = assemble(base, silence_seconds=silence, limits=limits, flavors=flavors)
        one, listener, _ = driving
        one.set_partitions(() if leased else range(PARTITIONS))
        tasks.create_task(loops.every(0.1, listener.check_silence, name="silence", until=stop))
        heard = [await platform.bus.subscribe(subjects.HEARTBEAT, listener.on_heartbeat)]
        for partition in range(PARTITIONS):
            heard.append(await platform.bus.subscribe(subjects.report(partition), listener.on_report))
            heard.append(await platform.bus.subscribe(subjects.poke(partition), one.on_poke))
        try:
            yield driving, base
        finally:
            stop.set()
            for subscription in heard:
                await subscription.close()
            one.set_partitions(())


def created(declared: Graph, workspace: str = "w") -> RunCreated:
    return RunCreated(
        run_id=new_id(), workspace=workspace, workflow="f", release="sha256:1", region="local", graph=declared
    )


async def history(platform: Platform, run: RunCreated) -> list[Recorded]:
    recorded = await platform.store.read_stream(f"run-{run.run_id}")
    assert chain.verify(recorded) is None
    return recorded


def ended(platform: Platform, run: RunCreated, how: str = "RunCompleted") -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        recorded = await history(platform, run)
        return bool(recorded) and recorded[-1].type == how

    return check


def count(recorded: list[Recorded], type_: str) -> int:
    return sum(event.type == type_ for event in recorded)
