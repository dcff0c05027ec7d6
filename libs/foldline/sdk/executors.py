"""The executors of an installation, as the client sees them."""

from __future__ import annotations

import builtins

import grpc

from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
from foldline.api.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from foldline.sdk.calls import ask


class Executors:
    """The processes that run attempts, as their heartbeats show them."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._scheduler = SchedulerServiceStub(channel)

    async def list(self) -> list[pb.Executor]:
        """By region, pool, name and session."""
        return list((await ask(self._scheduler.ListExecutors, pb.ListExecutorsRequest())).executors)

    async def drain(self, executor: str, *, undo: bool = False) -> builtins.list[str]:
        """Have it take no new work, or take work again; the sessions that were asked. Needs admin of the
        installation.
        """
        request = pb.DrainExecutorRequest(executor=executor, undo=undo)
        return builtins.list((await ask(self._scheduler.DrainExecutor, request)).sessions)
