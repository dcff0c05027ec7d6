"""A scheduler with its schedules and triggers on real servers, beside a registry that follows a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import grpc
from tests.unit.domain.graphs import function
from tests.waiting import until

from foldline.access import tokens
from foldline.access.interceptor import AccessInterceptor
from foldline.api.registry.v1 import workflow_service_pb2 as registry_pb
from foldline.api.scheduler.v1 import schedule_service_pb2 as pb
from foldline.api.scheduler.v1.scheduler_service_pb2_grpc import add_SchedulerServiceServicer_to_server
from foldline.api.workflow.v1 import workflow_pb2
from foldline.artifacts.store import open_store
from foldline.bus.port import Bus
from foldline.chassis import rpc
from foldline.chassis.clock import Clock
from foldline.chassis.lifecycle import Lifecycle
from foldline.chassis.settings import Secret
from foldline.domain import parameters
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.spec import Graph, Parameter
from foldline.eventstore import facts
from foldline.eventstore.port import START
from foldline.eventstore.postgres import PostgresEventStore
from foldline.sdk.client import Client
from foldline.testing.clock import ManualClock
from foldline.wire import failures, messages
from foldline_scheduler.engine import Base, assemble
from foldline_scheduler.partitions import PARTITIONS
from foldline_scheduler.schedules.parts import Parts
from foldline_scheduler.servicer import SchedulerServicer

REGISTRY = "foldline.api.registry.v1.WorkflowService"
KEY = "k" * 32
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

PARAMETERS = (Parameter(name="at", type="str", default=""), Parameter(name="size", type="int", default=1))
GRAPH = Graph(name="f", parameters=PARAMETERS, steps=(function("a"),))


class ScriptedRegistry:
    """Knows the workflow f alone. Remembers who asked."""

    def __init__(self, clock: Clock, graph: Graph = GRAPH) -> None:
        self.askers: list[str] = []
        self.refusal: FoldlineError | None = None
        self.refused = 0
        self.stream, self.version = "", 0  # up to which its answers go
        self._clock = clock
        self._graph = graph

    async def GetRelease(self, request: registry_pb.GetReleaseRequest, context: Any) -> Any:  # noqa: N802
        self._check(request.workflow, context)
        return registry_pb.GetReleaseResponse(release=self._release())

    async def ResolveRun(self, request: registry_pb.ResolveRunRequest, context: Any) -> Any:  # noqa: N802
        self.askers.append(self._check(request.workflow, context))
        chosen = parameters.check(self._graph.parameters, messages.from_struct(request.values))
        return registry_pb.ResolveRunResponse(
            release=self._release(),
            parameters=messages.to_struct(chosen),
            region="local",
            stream=self.stream,
            version=self.version,
        )

    def add_to(self, _registry: object, server: Any) -> None:
        """As the generated add_…_to_server does, for what is answered here."""
        handlers = {
            "GetRelease": grpc.unary_unary_rpc_method_handler(
                self.GetRelease,
                registry_pb.GetReleaseRequest.FromString,
                registry_pb.GetReleaseResponse.SerializeToString,
            ),
            "ResolveRun": grpc.unary_unary_rpc_method_handler(
                self.ResolveRun,
                registry_pb.ResolveRunRequest.FromString,
                registry_pb.ResolveRunResponse.SerializeToString,
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(REGISTRY, handlers),))

    def _check(self, workflow: str, context: Any) -> str:
        token = dict(context.invocation_metadata())["authorization"].removeprefix("Bearer ")
        caller = tokens.verify(KEY, token, self._clock.now())
        assert caller.grants == {"w": "operator"}
        if self.refusal is not None:
            self.refused += 1
            raise self.refusal
        if workflow != "f":
            raise FoldlineError(Kind.NOT_FOUND, "WORKFLOW_NOT_FOUND", f"there is no workflow {workflow}")
        return caller.subject

    def _release(self) -> registry_pb.Release:
        return registry_pb.Release(
            digest="sha256:1", graph=messages.to_message(self._graph, workflow_pb2.Graph)
        )


class Place:
    """A ledger, a bus, a clock and a registry, on which schedulers come and go."""

    def __init__(
        self, pool: asyncpg.Pool, store: PostgresEventStore, bus: Bus, clock: ManualClock, artifacts: str
    ) -> None:
        self.pool = pool
        self.store = store
        self.bus = bus
        self.clock = clock
        self.artifacts = artifacts
        self.registry = ScriptedRegistry(clock)
        self.address = ""

    @asynccontextmanager
    async def scheduler(self) -> AsyncIterator[Client]:
        """A scheduler that owns everything, and a client of it."""
        life = Lifecycle()
        life.ready.set()
        async with rpc.channel(self.address) as registry, asyncio.TaskGroup() as tasks:
            store = open_store(self.artifacts)
            base = Base(self.pool, self.store, self.bus, store, self.clock, tasks, life.stop)
            engine = assemble(base, silence_seconds=60)
            owner = engine.owner
            owner.set_partitions(range(PARTITIONS))
            handlers = engine.handlers(base, registry)
            parts = Parts(
                self.pool,
                self.store,
                self.bus,
                owner,
                handlers,
                registry,
                Secret(KEY),
                self.clock,
                tasks,
                life.stop,
            )
            runs = rpc.Service(
                "foldline.api.scheduler.v1.SchedulerService",
                add_SchedulerServiceServicer_to_server,
                SchedulerServicer(handlers),
            )
            async with (
                rpc.serve(
                    "127.0.0.1:0",
                    [runs, *parts.services],
                    life=life,
                    translate=failures.to_status,
                    interceptors=[AccessInterceptor(KEY, self.clock)],
                ) as port,
                parts.running(),
                Client(f"127.0.0.1:{port}", self._token(), workspace="w") as client,
            ):
                try:
                    yield client
                finally:
                    life.stop.set()
            owner.set_partitions(())

    def _token(self) -> str:
        return tokens.issue(
            KEY, subject="ada", grants={"w": "operator"}, ttl_seconds=10**8, now=NOON - timedelta(days=1)
        )

    async def runs(self) -> dict[str, facts.Meta]:
        """Every run that was created, and in whose name."""
        created = await self.store.read_all(after=START, limit=10_000, types=["RunCreated"])
        found = {one.stream: facts.meta_of(one) for one in created}
        assert len(found) == len(created)
        return found


@asynccontextmanager
async def place(pool: asyncpg.Pool, store: PostgresEventStore, bus: Bus) -> AsyncIterator[Place]:
    clock = ManualClock(NOON)
    life = Lifecycle()
    life.ready.set()
    with TemporaryDirectory(prefix="foldline-lists-") as folder:
        made = Place(pool, store, bus, clock, folder)
        service = rpc.Service(REGISTRY, made.registry.add_to, made.registry)
        async with rpc.serve("127.0.0.1:0", [service], life=life, translate=failures.to_status) as port:
            made.address = f"127.0.0.1:{port}"
            yield made


async def told(client: Client, schedule: str, *types: str) -> list[pb.HistoryEntry]:
    """The history of a schedule, oldest first, of these types alone."""
    entries = reversed(await client.schedules.history(schedule, limit=1000))
    return [entry for entry in entries if not types or entry.type in types]


async def until_told(client: Client, schedule: str, type_: str, count: int = 1) -> list[pb.HistoryEntry]:
    """Wait until the history has so many facts of a type."""

    async def check() -> list[pb.HistoryEntry]:
        found = await told(client, schedule, type_)
        assert len(found) >= count, [entry.summary for entry in await told(client, schedule)]
        return found

    return await until(check)


def said(entry: pb.HistoryEntry, field: str) -> str:
    """A field of the fact, as text."""
    return str(messages.from_struct(entry.data).get(field, ""))
