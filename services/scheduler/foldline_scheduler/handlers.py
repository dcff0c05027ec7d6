"""The use cases: starting runs, and commands on runs.

Any scheduler takes any command. It writes to runs that it owns through their owner; to others by a plain
load-decide-append, and pokes the owner, whose next append would meet the version conflict anyway.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import grpc

from foldline.access import bearer_metadata, caller
from foldline.api.registry.v1 import workflow_service_pb2 as registry_pb
from foldline.api.registry.v1.workflow_service_pb2_grpc import WorkflowServiceStub
from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
from foldline.bus import subjects
from foldline.bus.port import Bus
from foldline.chassis import observe
from foldline.domain.commands import Command, CreateRun
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.run import RunState
from foldline.domain.run_events import RunCreated
from foldline.domain.spec import Graph
from foldline.eventstore import facts
from foldline.wire import failures, messages
from foldline_scheduler.owner import Owner
from foldline_scheduler.partitions import partition_of
from foldline_scheduler.streams import mint_run_id

RESOLVE_SECONDS = 10.0
MAX_REQUEST_ID = 64
LOWEST_PRIORITY, HIGHEST_PRIORITY = -100, 100
CACHE_MODES = ("", "off", "read_only", "refresh")


class Handlers:
    def __init__(self, owner: Owner, bus: Bus, registry: grpc.aio.Channel) -> None:
        self._owner = owner
        self._bus = bus
        self._registry = WorkflowServiceStub(registry)

    async def start_run(self, request: pb.StartRunRequest) -> str:
        _check_start(request)
        run_id = mint_run_id(request.workspace, request.request_id)
        if not (request.request_id and await self._owner.look(run_id) is not None):
            await self.start(request, run_id)
        return run_id

    async def start(self, request: pb.StartRunRequest, run_id: str) -> None:
        """Start this very run; one that is there already stays as it is."""
        created = await self._resolve(request, run_id)
        try:
            await self._carry_out(run_id, CreateRun(created), _meta(request.workspace))
        except FoldlineError as error:
            if error.reason != "RUN_EXISTS":
                raise

    async def command(self, workspace: str, run_id: str, command: Command) -> None:
        """Carry out a command on a run of the workspace. Raises NOT_FOUND and what the rules refuse."""
        await self.state(workspace, run_id)
        await self._carry_out(run_id, command, _meta(workspace))

    async def state(self, workspace: str, run_id: str) -> RunState:
        """The run's state as of now. Raises NOT_FOUND, also for a run of another workspace."""
        state = await self._owner.look(run_id)
        if state is None or state.created.workspace != workspace:
            message = f"workspace {workspace} has no run {run_id}"
            raise FoldlineError(Kind.NOT_FOUND, "UNKNOWN_RUN", message)
        return state

    async def _carry_out(self, run_id: str, command: Command, meta: facts.Meta) -> None:
        if self._owner.owns(run_id):
            await self._owner.command(run_id, command, meta)
            return
        await self._owner.write_foreign(run_id, command, meta)
        with suppress(FoldlineError):  # the owner looks for itself every now and then
            await self._bus.publish(subjects.poke(partition_of(run_id)), run_id.encode())

    async def _resolve(self, request: pb.StartRunRequest, run_id: str) -> RunCreated:
        """Ask the registry what exactly runs; never again later. With the caller's own token."""
        question = registry_pb.ResolveRunRequest(
            workspace=request.workspace, workflow=request.workflow, values=request.values
        )
        async with _translated():
            answer = await self._registry.ResolveRun(
                question, timeout=RESOLVE_SECONDS, metadata=bearer_metadata()
            )
        return RunCreated(
            run_id=run_id,
            workspace=request.workspace,
            workflow=request.workflow,
            release=answer.release.digest,
            region=answer.region,
            graph=messages.from_message(answer.release.graph, Graph),
            parameters=messages.from_struct(answer.parameters),
            bundle=answer.release.bundle,
            environment=answer.release.environment,
            cache=request.cache,
            priority=request.priority,
        )


def _check_start(request: pb.StartRunRequest) -> None:
    if len(request.request_id) > MAX_REQUEST_ID:
        message = f"request_id has at most {MAX_REQUEST_ID} characters"
        raise FoldlineError(Kind.INVALID, "REQUEST_ID_TOO_LONG", message)
    if not LOWEST_PRIORITY <= request.priority <= HIGHEST_PRIORITY:
        message = f"priority is {request.priority}, but must be {LOWEST_PRIORITY} to {HIGHEST_PRIORITY}"
        raise FoldlineError(Kind.INVALID, "ILLEGAL_PRIORITY", message)
    if request.cache not in CACHE_MODES:
        message = f"cache is {request.cache!r}, but must be one of {', '.join(CACHE_MODES[1:])}, or empty"
        raise FoldlineError(Kind.INVALID, "ILLEGAL_CACHE", message)


def _meta(workspace: str) -> facts.Meta:
    """Who and why of a command: the caller, and the request that brought it."""
    return facts.Meta(
        actor=caller().subject,
        workspace=workspace,
        correlation=observe.correlation(),
        trace=observe.trace(),
    )


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise failures.from_rpc_error(error) from error
