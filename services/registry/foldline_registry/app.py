"""The composition root: the only file that opens anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from foldline.access.admission import CALLS, Admission
from foldline.access.interceptor import AccessInterceptor
from foldline.api.registry.v1.gallery_service_pb2_grpc import add_GalleryServiceServicer_to_server
from foldline.api.registry.v1.workflow_service_pb2_grpc import add_WorkflowServiceServicer_to_server
from foldline.api.registry.v1.workspace_service_pb2_grpc import add_WorkspaceServiceServicer_to_server
from foldline.artifacts.port import ArtifactStore
from foldline.artifacts.store import open_store
from foldline.chassis import admin, loops, rpc
from foldline.chassis.clock import Clock, SystemClock
from foldline.chassis.lifecycle import Lifecycle
from foldline.chassis.settings import Secret
from foldline.eventstore.port import EventStore
from foldline.eventstore.postgres import PostgresEventStore
from foldline.pg import connect, migrate
from foldline.pg.connect import Pool
from foldline.wire import failures
from foldline_registry.handlers.gallery import Gallery
from foldline_registry.handlers.lookups import Lookups
from foldline_registry.handlers.releases import Releases
from foldline_registry.handlers.workflows import Workflows
from foldline_registry.handlers.workspaces import Workspaces
from foldline_registry.ledger import Ledger
from foldline_registry.servicers.gallery import GalleryServicer
from foldline_registry.servicers.workflows import WorkflowServicer
from foldline_registry.servicers.workspaces import WorkspaceServicer
from foldline_registry.settings import Settings
from foldline_registry.views.follower import Follower
from foldline_registry.views.reads import Views
from foldline_registry.views.seen import Seen

_PACKAGE = "foldline.api.registry.v1"
FOLLOW_AGAIN_SECONDS = 1.0


async def open_and_serve(settings: Settings, life: Lifecycle) -> None:
    """Open Postgres and the artifact store; serve until `life.stop`."""
    dsn = settings.postgres.value
    async with connect.pool(dsn, role="foldline_registry", name="foldline-registry", max_size=8) as pool:
        await migrate.require(pool, "ledger")
        await migrate.require(pool, "registry")
        async with (
            PostgresEventStore(pool, dsn) as store,
            admin.serve(settings.admin, life),
            serve(
                life,
                listen=settings.listen,
                key=settings.token_key,
                pool=pool,
                store=store,
                artifacts=open_store(
                    settings.artifacts, patience_seconds=settings.artifacts_patience_seconds
                ),
                clock=SystemClock(),
                calls=settings.calls,
            ),
        ):
            life.ready.set()
            await life.stop.wait()


@asynccontextmanager
async def serve(
    life: Lifecycle,
    *,
    listen: str,
    key: Secret,
    pool: Pool,
    store: EventStore,
    artifacts: ArtifactStore,
    clock: Clock,
    calls: int = CALLS,
) -> AsyncIterator[int]:
    """Assemble the registry, follow the ledger, answer on `listen`; yield the bound port."""
    seen = Seen()
    views = Views(pool)
    follower = Follower(pool, store, seen)
    life.checks.add("postgres", views.check)
    life.checks.add("views", follower.check)
    life.checks.add("artifacts", artifacts.check)
    services = _services(Ledger(store, clock, seen), views, artifacts, key, clock)
    async with asyncio.TaskGroup() as tasks:

        async def follow() -> None:
            await follower.run(life.stop)

        following = tasks.create_task(
            loops.every(FOLLOW_AGAIN_SECONDS, follow, name="views", until=life.stop)
        )
        async with rpc.serve(
            listen,
            services,
            life=life,
            translate=failures.to_status,
            interceptors=[AccessInterceptor(key, clock, Admission(calls))],
        ) as port:
            yield port
        # The last calls have been answered, and with them the last who wait for a read model.
        following.cancel()


def _services(
    ledger: Ledger, views: Views, artifacts: ArtifactStore, key: Secret, clock: Clock
) -> list[rpc.Service]:
    lookups = Lookups(ledger)
    workspaces = Workspaces(ledger, lookups, views, key=key, clock=clock)
    workflows = Workflows(ledger, lookups, views)
    releases = Releases(ledger, lookups, views, artifacts)
    gallery = Gallery(ledger, lookups, views)
    return [
        rpc.Service(
            f"{_PACKAGE}.WorkspaceService",
            add_WorkspaceServiceServicer_to_server,
            WorkspaceServicer(workspaces),
        ),
        rpc.Service(
            f"{_PACKAGE}.WorkflowService",
            add_WorkflowServiceServicer_to_server,
            WorkflowServicer(workflows, releases),
        ),
        rpc.Service(
            f"{_PACKAGE}.GalleryService", add_GalleryServiceServicer_to_server, GalleryServicer(gallery)
        ),
    ]
