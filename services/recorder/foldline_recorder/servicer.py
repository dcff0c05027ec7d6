"""The gRPC edge: parse, call, reply. No rules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, NamedTuple, TypeAlias

import grpc

from foldline.api.event.v1.artifact_pb2 import Artifact as ArtifactMessage
from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.api.recorder.v1.recorder_service_pb2_grpc import RecorderServiceServicer
from foldline.api.workflow.v1.workflow_pb2 import Graph as GraphMessage
from foldline.artifacts.port import ArtifactStore
from foldline.bus.port import Bus
from foldline.wire import messages
from foldline_recorder import contents, history, pages, todos
from foldline_recorder.events import event_message, event_messages
from foldline_recorder.finder import Finder
from foldline_recorder.logs import Logs
from foldline_recorder.projections.runs import Runs
from foldline_recorder.records import Records
from foldline_recorder.series import Series
from foldline_recorder.views import run_message, step_messages
from foldline_recorder.watch import Watches

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class Parts(NamedTuple):
    """What the servicer answers from."""

    finder: Finder
    records: Records
    runs: Runs
    watches: Watches
    logs: Logs
    series: Series
    artifacts: ArtifactStore
    bus: Bus


class RecorderServicer(RecorderServiceServicer):
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def GetRun(  # noqa: N802 - the name in the proto
        self, request: pb.GetRunRequest, context: Context
    ) -> pb.GetRunResponse:
        del context
        record = await self._parts.finder.record(request.workspace, request.run_id)
        return pb.GetRunResponse(
            run=run_message(record),
            steps=step_messages(record, record.state.steps),
            # Of a map's child: with the steps of all its items.
            graph=messages.to_message(record.state.plan.graph, GraphMessage),
        )

    async def ListRuns(  # noqa: N802 - the name in the proto
        self, request: pb.ListRunsRequest, context: Context
    ) -> pb.ListRunsResponse:
        del context
        size = pages.size(request.page_size, default=pages.RUNS_DEFAULT, largest=pages.RUNS_LARGEST)
        found = await self._parts.runs.newest(
            request.workspace,
            workflow=request.workflow,
            status=pages.status(request.status),
            parent=await self._parent(request),
            behind=pages.behind(request.page_token),
            limit=size + 1,
        )
        return pages.runs_page(found, size)

    async def ListHistory(  # noqa: N802 - the name in the proto
        self, request: pb.ListHistoryRequest, context: Context
    ) -> pb.ListHistoryResponse:
        del context
        size = pages.size(request.page_size, default=history.DEFAULT_SIZE, largest=history.LARGEST_SIZE)
        after = pages.not_negative("after_version", request.after_version)
        run_id = await self._parts.finder.run_id(request.workspace, request.run_id)
        page = await history.page(self._parts.records, run_id, after=after, size=size)
        return pb.ListHistoryResponse(
            events=await event_messages(page.events),
            more=page.more,
            chain_ok=page.flaw is None,
            chain_error="" if page.flaw is None else page.flaw.problem,
        )

    async def ReplayRun(  # noqa: N802 - the name in the proto
        self, request: pb.ReplayRunRequest, context: Context
    ) -> pb.ReplayRunResponse:
        del context
        run_id = await self._parts.finder.run_id(request.workspace, request.run_id)
        record, event = await history.replay(self._parts.records, run_id, request.version)
        steps = step_messages(record, record.state.steps)
        return pb.ReplayRunResponse(run=run_message(record), steps=steps, event=event_message(event))

    async def WatchRun(  # noqa: N802 - the name in the proto
        self, request: pb.WatchRunRequest, context: Context
    ) -> AsyncIterator[pb.WatchRunResponse]:
        del context
        after = pages.not_negative("after_version", request.after_version)
        record = await self._parts.finder.record(request.workspace, request.run_id)
        run_id = record.state.created.run_id
        async with aclosing(self._parts.watches.watch(run_id, after=after)) as answers:
            async for answer in answers:
                yield answer

    async def ReadLog(  # noqa: N802 - the name in the proto
        self, request: pb.ReadLogRequest, context: Context
    ) -> AsyncIterator[pb.ReadLogResponse]:
        del context
        part = pages.log_part(request)
        record = await self._parts.finder.record(request.workspace, request.run_id)
        reading = self._parts.logs.read(record, request.step, part)
        async with aclosing(reading) as answers:
            async for answer in answers:
                yield answer

    async def ReadMetrics(  # noqa: N802 - the name in the proto
        self, request: pb.ReadMetricsRequest, context: Context
    ) -> AsyncIterator[pb.ReadMetricsResponse]:
        del context
        wanted = pages.series(request)
        record = await self._parts.finder.record(request.workspace, request.run_id)
        async with aclosing(self._parts.series.read(record, wanted)) as answers:
            async for answer in answers:
                yield answer

    async def ReadArtifact(  # noqa: N802 - the name in the proto
        self, request: pb.ReadArtifactRequest, context: Context
    ) -> AsyncIterator[pb.ReadArtifactResponse]:
        del context
        record = await self._parts.finder.record(request.workspace, request.run_id)
        artifact = contents.output_of(record, request.step, request.output)
        async with aclosing(contents.read(self._parts.artifacts, artifact)) as answers:
            async for answer in answers:
                yield answer

    async def GetArtifactPreview(  # noqa: N802 - the name in the proto
        self, request: pb.GetArtifactPreviewRequest, context: Context
    ) -> pb.GetArtifactPreviewResponse:
        del context
        record = await self._parts.finder.record(request.workspace, request.run_id)
        artifact = contents.output_of(record, request.step, request.output)
        answer = pb.GetArtifactPreviewResponse(artifact=messages.to_message(artifact, ArtifactMessage))
        if found := await contents.preview(self._parts.artifacts, artifact):
            answer.preview.update(found)
        return answer

    async def ListTodos(  # noqa: N802 - the name in the proto
        self, request: pb.ListTodosRequest, context: Context
    ) -> pb.ListTodosResponse:
        del context
        size = pages.size(request.page_size, default=pages.TODOS_DEFAULT, largest=todos.LARGEST)
        found = await self._parts.runs.todos(request.workspace, limit=size)
        return pb.ListTodosResponse(todos=[messages.to_message(one, pb.Todo) for one in found])

    async def ListParkedMessages(  # noqa: N802 - the name in the proto
        self, request: pb.ListParkedMessagesRequest, context: Context
    ) -> pb.ListParkedMessagesResponse:
        del context
        size = pages.size(request.page_size, default=pages.PARKED_DEFAULT, largest=pages.PARKED_LARGEST)
        parked = await self._parts.bus.parked(size)
        return pages.parked_page(parked)

    async def _parent(self, request: pb.ListRunsRequest) -> str:
        """The whole id of the run whose inner runs are meant; "" for runs that somebody started."""
        if not request.parent_run_id:
            return ""
        return await self._parts.finder.run_id(request.workspace, request.parent_run_id)
