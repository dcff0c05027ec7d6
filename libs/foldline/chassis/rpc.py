"""gRPC in one call each: `serve` for servers, `channel` for clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from foldline.chassis import logs, loops, probes
from foldline.chassis.calls import CallInterceptor, Streams, Translate
from foldline.chassis.channels import OPTIONS, channel
from foldline.chassis.handlers import Interceptor
from foldline.chassis.lifecycle import Lifecycle

__all__ = ["Service", "channel", "serve"]

log = logs.logger()

GRACE_SECONDS = 5.0
IDLE_SECONDS = 0.5

_SERVER_OPTIONS = (
    *OPTIONS,
    ("grpc.so_reuseport", 0),  # a port that is taken is an error, not a silent share
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),  # our own clients ping every 20 s
)


class Service(NamedTuple):
    """One proto service: full name, the generated add_…_to_server, and the object that answers."""

    name: str
    add: Callable[[Any, Any], None]
    servicer: object


@asynccontextmanager
async def serve(
    listen: str,
    services: Sequence[Service],
    *,
    life: Lifecycle,
    translate: Translate,
    interceptors: Sequence[Interceptor] = (),
) -> AsyncIterator[int]:
    """Serve on `listen` ("host:port"; port 0 picks a free one) and yield the bound port.

    Health and reflection come with it. Leaving drains: health turns NOT_SERVING, no new calls, unary calls
    and active streams get 5 seconds, idle streams end at once with UNAVAILABLE.
    """
    streams = Streams()
    server = grpc.aio.server(
        interceptors=[CallInterceptor(translate, streams), *interceptors], options=_SERVER_OPTIONS
    )
    names = [service.name for service in services]
    for service in services:
        service.add(service.servicer, server)
    health_pb2_grpc.add_HealthServicer_to_server(probes.HealthServicer(life, streams.draining, names), server)
    reflection.enable_server_reflection([*names, probes.SERVICE, reflection.SERVICE_NAME], server)
    port = server.add_insecure_port(listen)
    await server.start()
    log.info("server_started", port=port, services=names)
    try:
        yield port
    finally:
        await _drain(server, streams)
        log.info("server_stopped", port=port)


async def _drain(server: grpc.aio.Server, streams: Streams) -> None:
    streams.draining.set()
    stopped = asyncio.Event()

    async def stop() -> None:
        await server.stop(GRACE_SECONDS)
        stopped.set()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(stop())
        while not await loops.wait(stopped, IDLE_SECONDS / 2):
            streams.end_idle(IDLE_SECONDS)
