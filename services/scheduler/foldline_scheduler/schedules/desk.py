"""What the use cases of schedules and triggers share: streams in the caller's name, the registry's word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Generic, TypeVar

import grpc

from foldline.access import bearer_metadata, caller
from foldline.api.registry.v1 import workflow_service_pb2 as registry_pb
from foldline.api.registry.v1.workflow_service_pb2_grpc import WorkflowServiceStub
from foldline.api.scheduler.v1 import schedule_service_pb2 as pb
from foldline.chassis import observe
from foldline.chassis.clock import Clock
from foldline.domain import parameters
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.run_events import Event
from foldline.domain.schedules import ScheduleState
from foldline.domain.spec import Graph, Json
from foldline.domain.triggers import TriggerState
from foldline.eventstore import facts
from foldline.eventstore.port import EventStore
from foldline.wire import failures, messages
from foldline_scheduler.schedules import histories
from foldline_scheduler.schedules.stream import Evolve, Stream
from foldline_scheduler.schedules.views import Views

S = TypeVar("S", bound=ScheduleState | TriggerState)

ASK_SECONDS = 10.0
DEFAULT_PAGE = 100
LARGEST_PAGE = 500


class Desk(Generic[S]):
    def __init__(
        self,
        views: Views,
        store: EventStore,
        clock: Clock,
        evolve: Evolve[S],
        note: Callable[[str], None],
    ) -> None:
        self.clock = clock
        self._views = views
        self._store = store
        self._evolve = evolve
        self._note = note

    async def open(self, name: str) -> Stream[S]:
        """The stream as the ledger has it."""
        stream = Stream(name, self._store, self.clock, self._evolve, await self._views.load(name))
        await stream.load()
        return stream

    async def write(
        self, name: str, workspace: str, decide: Callable[[S | None, datetime], Sequence[Event]]
    ) -> S:
        """Append in the caller's name and have the owner look; the state behind it."""
        stream = await self.open(name)
        await stream.write(decide, meta(workspace))
        self._note(name)
        assert stream.state is not None
        return stream.state

    async def history(self, stream: Stream[S], *, before: int, limit: int) -> list[pb.HistoryEntry]:
        return await histories.read(self._store, stream.name, stream.version, before=before, limit=limit)


class Registry:
    """The registry asked with the caller's own token."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = WorkflowServiceStub(channel)

    async def check(
        self, workspace: str, workflow: str, values: Mapping[str, Json], *, later: Sequence[str]
    ) -> None:
        """Raise where the workflow is not there or takes no such values; `later` names those of each run."""
        request = registry_pb.GetReleaseRequest(workspace=workspace, workflow=workflow)
        try:
            answer = await self._stub.GetRelease(request, timeout=ASK_SECONDS, metadata=bearer_metadata())
        except grpc.RpcError as error:
            raise failures.from_rpc_error(error) from error
        declared = messages.from_message(answer.release.graph, Graph).parameters
        parameters.check_partial(declared, values)
        unknown = [name for name in later if name not in {one.name for one in declared}]
        if unknown:
            parameters.check_partial(declared, dict.fromkeys(unknown))


def meta(workspace: str) -> facts.Meta:
    """Who and why of a command: the caller, and the request that brought it."""
    return facts.Meta(
        actor=caller().subject,
        workspace=workspace,
        correlation=observe.correlation(),
        trace=observe.trace(),
    )


def page_size(wanted: int) -> int:
    if wanted < 0:
        raise FoldlineError(
            Kind.INVALID, "ILLEGAL_PAGE_SIZE", f"page_size is {wanted}, but must be 0 or more"
        )
    return min(wanted or DEFAULT_PAGE, LARGEST_PAGE)
