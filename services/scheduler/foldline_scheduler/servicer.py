"""The gRPC edge: parse, call, reply. No rules."""

from __future__ import annotations

import grpc

from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
from foldline.api.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceServicer
from foldline_scheduler.handlers import Handlers


class SchedulerServicer(SchedulerServiceServicer):
    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers

    async def StartRun(  # noqa: N802 - the name in the proto
        self,
        request: pb.StartRunRequest,
        context: grpc.aio.ServicerContext[pb.StartRunRequest, pb.StartRunResponse],  # noqa: ARG002 - gRPC's
    ) -> pb.StartRunResponse:
        return pb.StartRunResponse(run_id=await self._handlers.start_run(request))

    async def StopRun(  # noqa: N802 - the name in the proto
        self,
        request: pb.StopRunRequest,
        context: grpc.aio.ServicerContext[pb.StopRunRequest, pb.StopRunResponse],  # noqa: ARG002 - gRPC's
    ) -> pb.StopRunResponse:
        await self._handlers.stop_run(request)
        return pb.StopRunResponse()
