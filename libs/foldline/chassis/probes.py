"""grpc.health.v1, answered from the same checks as /readyz."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from foldline.chassis import loops
from foldline.chassis.handlers import Context
from foldline.chassis.lifecycle import Lifecycle

SERVICE: Final = "grpc.health.v1.Health"
WATCH_SECONDS = 1.0


class HealthServicer(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # grpc_health is not typed
    """Every service of a server has the health of its process."""

    def __init__(self, life: Lifecycle, draining: asyncio.Event, services: Collection[str]) -> None:
        self._life = life
        self._draining = draining
        self._services = frozenset({"", *services})

    async def Check(  # noqa: N802 - the proto's name
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        if request.service not in self._services:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service!r} here")
        return health_pb2.HealthCheckResponse(status=await self._status())

    async def List(  # noqa: N802 - the proto's name
        self, request: health_pb2.HealthListRequest, context: Context
    ) -> health_pb2.HealthListResponse:
        del request, context
        answer = health_pb2.HealthCheckResponse(status=await self._status())
        return health_pb2.HealthListResponse(statuses=dict.fromkeys(self._services, answer))

    async def Watch(  # noqa: N802 - the proto's name
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """The status now and whenever it changes; ends when the server drains."""
        del context
        known = request.service in self._services
        shown = None
        while True:
            draining = self._draining.is_set()
            status = await self._status() if known else health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
            if status != shown:
                yield health_pb2.HealthCheckResponse(status=status)
                shown = status
            if draining:
                return
            watched = [event for event in (self._draining, self._life.stop) if not event.is_set()]
            await loops.wait_first(*watched, seconds=WATCH_SECONDS)

    async def _status(self) -> health_pb2.HealthCheckResponse.ServingStatus:
        if self._draining.is_set() or await self._life.problems():
            return health_pb2.HealthCheckResponse.NOT_SERVING
        return health_pb2.HealthCheckResponse.SERVING
