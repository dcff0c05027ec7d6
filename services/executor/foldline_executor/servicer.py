"""The gRPC edge: what an operator asks one executor."""

from __future__ import annotations

import grpc

from foldline.api.executor.v1 import executor_service_pb2 as pb
from foldline.api.executor.v1.executor_service_pb2_grpc import ExecutorServiceServicer
from foldline_executor.attempts import Attempts
from foldline_executor.heartbeat import Heart
from foldline_executor.home import Home
from foldline_executor.settings import Settings

_Get = grpc.aio.ServicerContext[pb.GetExecutorRequest, pb.GetExecutorResponse]
_Drain = grpc.aio.ServicerContext[pb.DrainExecutorRequest, pb.DrainExecutorResponse]


class ExecutorServicer(ExecutorServiceServicer):
    def __init__(self, settings: Settings, home: Home, attempts: Attempts, heart: Heart) -> None:
        self._settings = settings
        self._home = home
        self._attempts = attempts
        self._heart = heart

    async def GetExecutor(self, request: pb.GetExecutorRequest, context: _Get) -> pb.GetExecutorResponse:  # noqa: N802
        del request, context
        return pb.GetExecutorResponse(
            session=self._home.session,
            name=self._settings.name,
            region=self._settings.region,
            pool=self._settings.pool,
            slots=self._settings.slot_count,
            busy=self._attempts.busy,
            draining=self._heart.is_draining,
            cpu=self._settings.cpu_count,
            memory_bytes=self._settings.memory_bytes,
            gpu=self._settings.gpu,
            flavors=self._settings.flavor_names,
            labels=self._settings.label_values,
        )

    async def DrainExecutor(  # noqa: N802
        self, request: pb.DrainExecutorRequest, context: _Drain
    ) -> pb.DrainExecutorResponse:
        del request, context
        self._heart.drain()
        return pb.DrainExecutorResponse()
