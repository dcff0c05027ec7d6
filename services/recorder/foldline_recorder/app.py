"""The composition root: the only file that opens anything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from foldline.access.admission import Admission
from foldline.access.interceptor import AccessInterceptor
from foldline.api.recorder.v1.recorder_service_pb2_grpc import add_RecorderServiceServicer_to_server
from foldline.artifacts.port import ArtifactStore
from foldline.artifacts.store import open_store
from foldline.bus import jetstream
from foldline.bus.port import Bus
from foldline.chassis import admin, background, loops, rpc
from foldline.chassis.clock import SystemClock
from foldline.chassis.lifecycle import Lifecycle
from foldline.eventstore.port import EventStore
from foldline.eventstore.postgres import PostgresEventStore
from foldline.pg import connect, migrate
from foldline.pg.connect import Pool
from foldline.wire import failures
from foldline_recorder.broadcast import Broadcast
from foldline_recorder.checkpoints import Checkpoints
from foldline_recorder.finder import Finder
from foldline_recorder.ingest import Ingest
from foldline_recorder.logs import Logs
from foldline_recorder.projections.runs import Runs
from foldline_recorder.records import Records
from foldline_recorder.relay import Relay
from foldline_recorder.series import Series
from foldline_recorder.servicer import Parts, RecorderServicer
from foldline_recorder.settings import Settings
from foldline_recorder.watch import Watches

NAME = "foldline.api.recorder.v1.RecorderService"

FOLLOW_AGAIN_SECONDS = 1.0
SAVE_SECONDS = 0.5
LOOK_AFTER_SECONDS = 1.0


async def open_and_serve(settings: Settings, life: Lifecycle) -> None:
    """Open Postgres, NATS and the artifact store; serve until `life.stop`."""
    dsn = settings.postgres.value
    async with connect.pool(dsn, role="foldline_recorder", name="foldline-recorder", max_size=10) as pool:
        await migrate.require(pool, ("ledger", "foldline.eventstore"))
        await migrate.require(pool, ("recorder", "foldline_recorder"))
        async with (
            PostgresEventStore(pool, dsn) as store,
            jetstream.connect(settings.nats.value, name="foldline-recorder") as bus,
            admin.serve(settings.admin, life),
            serve(
                settings,
                life,
                pool=pool,
                store=store,
                bus=bus,
                artifacts=open_store(
                    settings.artifacts, patience_seconds=settings.artifacts_patience_seconds
                ),
            ),
        ):
            life.ready.set()
            await life.stop.wait()


@asynccontextmanager
async def serve(
    settings: Settings,
    life: Lifecycle,
    *,
    pool: Pool,
    store: EventStore,
    bus: Bus,
    artifacts: ArtifactStore,
) -> AsyncIterator[int]:
    """Assemble the recorder, follow the ledger, answer; yield the bound port."""
    clock = SystemClock()
    positions, runs, broadcast = Checkpoints(pool), Runs(pool), Broadcast()
    records = Records(store, cache_bytes=settings.cache_bytes)
    ingest = Ingest(store, records, runs, broadcast, positions, clock)
    relay = Relay(store, bus, positions, clock)
    parts = Parts(
        finder=Finder(runs, records),
        records=records,
        runs=runs,
        watches=Watches(records, broadcast),
        logs=Logs(artifacts, bus, records, broadcast),
        series=Series(artifacts),
        artifacts=artifacts,
        bus=bus,
    )
    life.checks.add("postgres", runs.check)
    life.checks.add("artifacts", artifacts.check)
    async with background.tasks() as tasks:
        for seconds, round_, name in (
            (FOLLOW_AGAIN_SECONDS, ingest.run, "ingest"),
            (FOLLOW_AGAIN_SECONDS, relay.run, "relay"),
            (SAVE_SECONDS, relay.save, "relay_save"),
            (LOOK_AFTER_SECONDS, ingest.look_after_watchers, "look_after_watchers"),
        ):
            tasks.create_task(loops.every(seconds, round_, name=name, until=life.stop), name=name)
        async with rpc.serve(
            settings.listen,
            [rpc.Service(NAME, add_RecorderServiceServicer_to_server, RecorderServicer(parts))],
            life=life,
            translate=failures.to_status,
            interceptors=[AccessInterceptor(settings.token_key, clock, Admission(settings.calls))],
        ) as port:
            yield port
    await relay.close()
