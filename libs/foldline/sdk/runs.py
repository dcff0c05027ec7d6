"""Runs and their records, as the client sees them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from datetime import datetime
from typing import Any, TypedDict, Unpack

import grpc

from foldline.api.event.v1.artifact_pb2 import Artifact
from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.api.recorder.v1.recorder_service_pb2_grpc import RecorderServiceStub
from foldline.api.scheduler.v1 import scheduler_service_pb2 as commands
from foldline.api.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.spec import Json
from foldline.sdk.calls import ask, stream
from foldline.sdk.changes import Change, Part
from foldline.wire import messages

PATIENCE_SECONDS = 60.0
"""How long a watch goes on without hearing from the server before it gives up."""

_PAUSES = (0.2, 0.5, 1.0, 2.0)


class Runs:
    """Runs of one workspace. Commands want whole ids; questions take unique beginnings, too."""

    def __init__(self, channel: grpc.aio.Channel, workspace: str) -> None:
        self._scheduler = SchedulerServiceStub(channel)
        self._recorder = RecorderServiceStub(channel)
        self._workspace = workspace

    async def start(
        self,
        workflow: str,
        values: Mapping[str, Json] | None = None,
        *,
        request_id: str = "",
        part: Part | None = None,
        cache: str = "",
        priority: int = 0,
    ) -> str:
        """Start a run with the saved configuration and `values` over it; the run's id.

        `part` says which steps run, all without it. `cache` is "" (as declared), "off", "read_only" or
        "refresh".
        """
        request = commands.StartRunRequest(
            workspace=self._workspace,
            workflow=workflow,
            values=messages.to_struct(values or {}),
            request_id=request_id,
            selection=None if part is None else part.message(),
            cache=cache,
            priority=priority,
        )
        return (await ask(self._scheduler.StartRun, request)).run_id

    async def plan_fork(self, run_id: str, change: Change) -> list[commands.PlannedStep]:
        """What a new run made from this one would do, step by step; nothing is started."""
        request = commands.PlanForkRequest(workspace=self._workspace, run_id=run_id, fork=change.message())
        return list((await ask(self._scheduler.PlanFork, request)).steps)

    async def fork(self, run_id: str, change: Change, *, request_id: str = "", priority: int = 0) -> str:
        """Make a new run from an earlier one, which stays as it is; the new run's id."""
        request = commands.ForkRunRequest(
            workspace=self._workspace,
            run_id=run_id,
            fork=change.message(),
            request_id=request_id,
            priority=priority,
        )
        return (await ask(self._scheduler.ForkRun, request)).run_id

    async def get(self, run_id: str) -> pb.GetRunResponse:
        """A run by its id or a unique beginning of it."""
        request = pb.GetRunRequest(workspace=self._workspace, run_id=run_id)
        return await ask(self._recorder.GetRun, request)

    async def list(
        self, *, workflow: str = "", status: str = "", inside: str = "", limit: int = 50
    ) -> list[pb.Run]:
        """The newest runs that somebody started, or those inside steps of the run `inside`; newest first."""
        found: list[pb.Run] = []
        token = ""
        while len(found) < limit:
            request = pb.ListRunsRequest(
                workspace=self._workspace,
                workflow=workflow,
                status=status,
                page_size=min(limit - len(found), 500),
                page_token=token,
                parent_run_id=inside,
            )
            page = await ask(self._recorder.ListRuns, request)
            found.extend(page.runs)
            token = page.next_page_token
            if not token:
                break
        return found

    async def watch(
        self, run_id: str, *, after_version: int = 0
    ) -> AsyncGenerator[pb.WatchRunResponse, None]:
        """The whole state, then every change until the run has ended; survives losses of the connection."""
        loop = asyncio.get_running_loop()
        heard = loop.time()
        losses = 0
        while True:
            request = pb.WatchRunRequest(
                workspace=self._workspace, run_id=run_id, after_version=after_version
            )
            try:
                async with aclosing(stream(self._recorder.WatchRun, request)) as updates:
                    async for update in updates:
                        heard, losses = loop.time(), 0
                        after_version = max(after_version, update.run.version)
                        yield update
                return
            except FoldlineError as error:
                if error.kind is not Kind.UNAVAILABLE or loop.time() - heard > PATIENCE_SECONDS:
                    raise
            await asyncio.sleep(_PAUSES[min(losses, len(_PAUSES) - 1)])
            losses += 1


class LogPart(TypedDict, total=False):
    """What of a log is wanted; see ReadLogRequest."""

    attempt: int
    after_line: int
    before_line: int
    follow: bool
    rank: int | None
    since: datetime | None
    search: str
    pattern: str
    tail: int
    limit: int


class Records:
    """Records of the runs of one workspace."""

    def __init__(self, channel: grpc.aio.Channel, workspace: str) -> None:
        self._recorder = RecorderServiceStub(channel)
        self._workspace = workspace

    async def history(
        self, run_id: str, *, after_version: int = 0
    ) -> AsyncGenerator[pb.ListHistoryResponse, None]:
        """The events of a run in pages, oldest first; each page has its verdict on the chain."""
        while True:
            request = pb.ListHistoryRequest(
                workspace=self._workspace, run_id=run_id, after_version=after_version, page_size=1000
            )
            page = await ask(self._recorder.ListHistory, request)
            yield page
            if not page.more or not page.events:
                return
            after_version = page.events[-1].version

    async def replay(self, run_id: str, version: int = 0) -> pb.ReplayRunResponse:
        """The state as of a version; 0 means the newest."""
        request = pb.ReplayRunRequest(workspace=self._workspace, run_id=run_id, version=version)
        return await ask(self._recorder.ReplayRun, request)

    async def log(
        self, run_id: str, step: str, **part: Unpack[LogPart]
    ) -> AsyncGenerator[pb.ReadLogResponse, None]:
        """The lines of the newest attempt, or the part of a log that is asked for, a few at a time."""
        fields: dict[str, Any] = dict(part)
        since = fields.pop("since", None)
        request = pb.ReadLogRequest(workspace=self._workspace, run_id=run_id, step=step, **fields)
        if since is not None:
            request.since.FromDatetime(since)
        async with aclosing(stream(self._recorder.ReadLog, request)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def metrics(
        self,
        run_id: str,
        *,
        step: str = "",
        attempt: int = 0,
        name: str = "",
        rank: int | None = None,
        buckets: int = 0,
    ) -> AsyncGenerator[pb.MetricSeries, None]:
        """The series of all steps or of one, of the newest attempts, thinned out to so many buckets."""
        request = pb.ReadMetricsRequest(
            workspace=self._workspace,
            run_id=run_id,
            step=step,
            attempt=attempt,
            name=name,
            rank=rank,
            buckets=buckets,
        )
        async with aclosing(stream(self._recorder.ReadMetrics, request)) as answers:
            async for answer in answers:
                yield answer.series

    async def artifact(self, run_id: str, step: str, output: str) -> tuple[Artifact, AsyncIterator[bytes]]:
        """An output of a step: what it is, and its bytes in chunks."""
        request = pb.ReadArtifactRequest(workspace=self._workspace, run_id=run_id, step=step, output=output)
        chunks = stream(self._recorder.ReadArtifact, request)
        first = await anext(chunks)

        async def rest() -> AsyncIterator[bytes]:
            if first.chunk:
                yield first.chunk
            async for chunk in chunks:
                yield chunk.chunk

        return first.artifact, rest()

    async def preview(self, run_id: str, step: str, output: str) -> pb.GetArtifactPreviewResponse:
        """What is shown of an output of a step without its content."""
        request = pb.GetArtifactPreviewRequest(
            workspace=self._workspace, run_id=run_id, step=step, output=output
        )
        return await ask(self._recorder.GetArtifactPreview, request)

    async def parked(self, limit: int = 50) -> list[pb.ParkedMessage]:
        """Messages that no consumer could handle, newest first. Needs admin of the installation."""
        request = pb.ListParkedMessagesRequest(page_size=limit)
        return list((await ask(self._recorder.ListParkedMessages, request)).messages)
