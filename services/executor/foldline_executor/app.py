"""The composition root: the only file that opens anything."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from foldline.access.admission import Admission
from foldline.access.interceptor import AccessInterceptor
from foldline.api.executor.v1.executor_service_pb2_grpc import add_ExecutorServiceServicer_to_server
from foldline.artifacts.port import ArtifactStore
from foldline.artifacts.store import open_store
from foldline.bus import jetstream, subjects
from foldline.bus.port import Bus
from foldline.chassis import admin, background, loops, rpc
from foldline.chassis.clock import SystemClock
from foldline.chassis.lifecycle import Lifecycle
from foldline.runtime import kernel
from foldline.wire import failures
from foldline_executor import backends, disk, home, metrics
from foldline_executor.attempts import Attempts
from foldline_executor.disk import DiskGuard
from foldline_executor.heartbeat import Heart
from foldline_executor.logs import AttemptLog
from foldline_executor.places import Bounds, Places
from foldline_executor.process import Runner
from foldline_executor.reports import REPEAT_SECONDS, Reports
from foldline_executor.servicer import ExecutorServicer
from foldline_executor.settings import Settings

NAME = "foldline.api.executor.v1.ExecutorService"
KEEP_LOGS_SECONDS = 1.0
OLD_REPORTS_SECONDS = 2.0
LAST_ACKS_SECONDS = 3.0
COLLECT_SECONDS = 3600.0
SETTLE_SECONDS = 1.0
"""A scheduler that has not heard yet that this one drains may still give it work; that is carried out."""


async def open_and_serve(settings: Settings, life: Lifecycle) -> None:
    """Open the store and NATS, then serve until `life.stop`."""
    # Steps run as the same user; the keys of the installation are none of their business.
    kernel.forbid_inspection()
    store = open_store(settings.artifacts, patience_seconds=settings.artifacts_patience_seconds)
    async with jetstream.connect(settings.nats.value, name="executor") as bus:
        await serve(settings, life, store=store, bus=bus)


async def serve(settings: Settings, life: Lifecycle, *, store: ArtifactStore, bus: Bus) -> None:
    """Assemble the executor on an open store and bus, and run it."""
    clock = SystemClock()
    async with AsyncExitStack() as opened:
        place = opened.enter_context(home.hold(settings.home))
        tasks = await opened.enter_async_context(background.tasks())
        backend = await opened.enter_async_context(backends.opened(settings, place))
        places = Places(store, place, bounds=_bounds(settings), pythons=settings.python_paths)
        opened.push_async_callback(places.close)
        tasks.create_task(loops.every(COLLECT_SECONDS, places.collect, name="collect", until=life.stop))
        reports = Reports(bus, place.spool, tasks)
        attempts = Attempts(
            session=place.session,
            slots=settings.slot_count,
            runner=Runner(backend, places, store, place.work, permits_pickle=settings.allow_pickle),
            reports=reports,
            open_log=partial(
                AttemptLog,
                store=store,
                bus=bus,
                clock=clock,
                patience=settings.store_patience_seconds,
                limit=settings.log_limit,
                points=settings.metric_points,
            ),
            tasks=tasks,
        )
        guard = DiskGuard(
            _disks(settings, place),
            int(settings.disk_free),
            clean=places.clear,
            changed=attempts.changed,
        )
        await guard.look()
        heart = Heart(settings, place, attempts, bus, closed=lambda: guard.problem or reports.problem)
        await opened.enter_async_context(
            rpc.serve(
                settings.listen,
                [
                    rpc.Service(
                        NAME,
                        add_ExecutorServiceServicer_to_server,
                        ExecutorServicer(settings, place, attempts, heart),
                    )
                ],
                life=life,
                translate=failures.to_status,
                interceptors=[AccessInterceptor(settings.token_key.value, clock, Admission(settings.calls))],
            )
        )
        await opened.enter_async_context(admin.serve(settings.admin, life))
        life.checks.add("artifacts", store.check)
        metrics.SLOTS.set(settings.slot_count)
        await _work(settings, life, bus, tasks, place, reports, attempts, heart, guard)


def _bounds(settings: Settings) -> Bounds:
    return Bounds(
        environments=settings.keep_environments,
        bundles=settings.keep_bundles,
        artifact_bytes=int(settings.keep_artifacts),
    )


async def _work(
    settings: Settings,
    life: Lifecycle,
    bus: Bus,
    tasks: asyncio.TaskGroup,
    place: home.Home,
    reports: Reports,
    attempts: Attempts,
    heart: Heart,
    guard: DiskGuard,
) -> None:
    """From the first subscription to the last heartbeat."""
    ended = asyncio.Event()
    subscriptions = [
        await bus.subscribe(subjects.ack(session), reports.acknowledge)
        for session in {place.session, *reports.sessions}
    ]
    subscriptions.append(await bus.subscribe(subjects.work(place.session), attempts.on_work))
    subscriptions.append(await bus.subscribe(subjects.stop(place.session), attempts.on_stop))
    subscriptions.append(await bus.subscribe(subjects.drain(place.session), heart.on_drain))
    subscriptions.append(await bus.subscribe(subjects.ROLL_CALL, heart.on_roll_call))
    bus.on_reconnect(reports.repeat_all)
    tasks.create_task(loops.every(REPEAT_SECONDS / 2, reports.repeat, name="reports", until=ended))
    tasks.create_task(loops.every(KEEP_LOGS_SECONDS, attempts.keep_logs, name="logs", until=ended))
    tasks.create_task(loops.every(disk.LOOK_SECONDS, guard.look, name="disk", until=ended))
    # What the process before this one finished must be heard before it is declared dead.
    await reports.repeat_all()
    await reports.wait_empty(OLD_REPORTS_SECONDS)
    tasks.create_task(heart.beat_until(ended))
    life.ready.set()
    await life.stop.wait()
    heart.drain()
    await heart.settle(min(SETTLE_SECONDS, settings.drain_seconds))
    await attempts.leave(settings.drain_seconds)
    await reports.wait_empty(LAST_ACKS_SECONDS)
    ended.set()
    await heart.beat(leaving=True)
    for subscription in subscriptions:
        await subscription.close()


def _disks(settings: Settings, place: home.Home) -> list[Path]:
    """Where steps write, and where their outputs go when that is a folder."""
    store = [] if "://" in settings.artifacts else [Path(settings.artifacts).expanduser()]
    return [place.root, *store]
