"""The composition root: the only file that opens anything."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

from foldline.access.admission import Admission
from foldline.access.interceptor import AccessInterceptor
from foldline.api.scheduler.v1.scheduler_service_pb2_grpc import add_SchedulerServiceServicer_to_server
from foldline.artifacts.store import open_store
from foldline.bus import jetstream, subjects
from foldline.bus.port import Bus, Subscription
from foldline.chassis import admin, loops, rpc
from foldline.chassis.clock import SystemClock, new_id
from foldline.chassis.lifecycle import Lifecycle
from foldline.eventstore.port import EventStore
from foldline.eventstore.postgres import PostgresEventStore
from foldline.pg import connect, migrate
from foldline.wire import failures
from foldline_scheduler.engine import Base, Engine, assemble
from foldline_scheduler.leases import Leases
from foldline_scheduler.listener import Listener
from foldline_scheduler.open_runs import OpenRuns
from foldline_scheduler.overlooked import Overlooked
from foldline_scheduler.owner import Owner
from foldline_scheduler.partitions import PARTITIONS
from foldline_scheduler.schedules.parts import Parts
from foldline_scheduler.servicer import SchedulerServicer
from foldline_scheduler.settings import Settings

NAME = "foldline.api.scheduler.v1.SchedulerService"
OPEN_RUNS_SECONDS = 2.0
SILENCE_CHECK_SECONDS = 0.5


async def open_and_serve(settings: Settings, life: Lifecycle) -> None:
    """Open Postgres, NATS and the registry; then serve until `life.stop`."""
    limits, flavors = settings.limits.value, settings.flavors.value
    dsn = settings.postgres.value
    async with AsyncExitStack() as opened:
        pool = await opened.enter_async_context(
            connect.pool(dsn, role="foldline_scheduler", name="foldline-scheduler")
        )
        await migrate.require(pool, "ledger")
        await migrate.require(pool, "scheduler")
        store = await opened.enter_async_context(PostgresEventStore(pool, dsn))
        bus = await opened.enter_async_context(jetstream.connect(settings.nats.value, name="scheduler"))
        registry = await opened.enter_async_context(rpc.channel(settings.registry))
        tasks = await opened.enter_async_context(asyncio.TaskGroup())
        clock = SystemClock()
        artifacts = open_store(settings.artifacts, patience_seconds=settings.artifacts_patience_seconds)
        base = Base(pool, store, bus, artifacts, clock, tasks, life.stop)
        engine = assemble(
            base,
            silence_seconds=settings.silence_seconds,
            limits=limits,
            flavors=flavors,
            backlog=settings.backlog,
        )
        owner, listener = engine.owner, engine.listener
        open_runs = OpenRuns(pool, store)
        leases = _leases(base, engine, open_runs, settings.lease_seconds)
        handlers = engine.handlers(base, registry)
        parts = Parts(
            pool, store, bus, owner, handlers, registry, settings.token_key, clock, tasks, life.stop
        )
        runs = rpc.Service(NAME, add_SchedulerServiceServicer_to_server, SchedulerServicer(handlers))
        await opened.enter_async_context(
            rpc.serve(
                settings.listen,
                [runs, *parts.services],
                life=life,
                translate=failures.to_status,
                interceptors=[AccessInterceptor(settings.token_key.value, clock, Admission(settings.calls))],
            )
        )
        await opened.enter_async_context(admin.serve(settings.admin, life))
        for subscription in await _subscribe(bus, owner, listener, leases):
            opened.push_async_callback(subscription.close)
        opened.push_async_callback(leases.release)

        _start_loops(tasks, settings, life, leases=leases, engine=engine, open_runs=open_runs, store=store)
        await opened.enter_async_context(parts.running())
        life.ready.set()
        await life.stop.wait()


def _start_loops(
    tasks: asyncio.TaskGroup,
    settings: Settings,
    life: Lifecycle,
    *,
    leases: Leases,
    engine: Engine,
    open_runs: OpenRuns,
    store: EventStore,
) -> None:
    async def adopt_open_runs() -> None:
        """Runs that another scheduler created and whose poke was lost on the way to us."""
        await engine.owner.adopt(await open_runs.of(engine.owner.partitions))

    overlooked = Overlooked(engine.owner, store)
    third, silence = settings.lease_seconds / 3, engine.listener.check_silence
    tasks.create_task(loops.every(third, leases.keep, name="leases", until=life.stop))
    tasks.create_task(loops.every(OPEN_RUNS_SECONDS, adopt_open_runs, name="open_runs", until=life.stop))
    tasks.create_task(loops.every(OPEN_RUNS_SECONDS, overlooked.look, name="overlooked", until=life.stop))
    tasks.create_task(loops.every(SILENCE_CHECK_SECONDS, silence, name="silence", until=life.stop))


def _leases(base: Base, engine: Engine, open_runs: OpenRuns, seconds: float) -> Leases:
    """This process's share of the partitions; what it gains goes on in its hands."""

    async def gained(partitions: frozenset[int]) -> None:
        await engine.owner.adopt(await open_runs.of(partitions))
        await engine.listener.hear_again()

    return Leases(
        *(base.pool, engine.owner, base.bus, gained),
        name=new_id(),
        seconds=seconds,
        monotonic=time.monotonic,
    )


async def _subscribe(bus: Bus, owner: Owner, listener: Listener, leases: Leases) -> list[Subscription]:
    subscriptions = [await bus.subscribe(subjects.HEARTBEAT, listener.on_heartbeat)]
    for partition in range(PARTITIONS):
        subscriptions.append(await bus.subscribe(subjects.report(partition), listener.on_report))
        subscriptions.append(await bus.subscribe(subjects.poke(partition), owner.on_poke))
    subscriptions.append(await bus.subscribe(subjects.PARTITIONS, leases.on_told))
    await bus.publish(subjects.ROLL_CALL, b"")
    return subscriptions
