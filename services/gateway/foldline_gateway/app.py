"""Composition: the only file of the gateway that opens anything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from foldline.access.admission import Admission
from foldline.access.interceptor import AccessInterceptor
from foldline.chassis import admin, rpc
from foldline.chassis.calls import Streams
from foldline.chassis.clock import SystemClock
from foldline.chassis.lifecycle import Lifecycle
from foldline_gateway import backends, connect, console, door, statuses, web
from foldline_gateway.downloads import Downloads
from foldline_gateway.gate import Gate
from foldline_gateway.hooks import Hooks
from foldline_gateway.methods import all_methods
from foldline_gateway.settings import Settings
from foldline_gateway.site import Site


class Ports(NamedTuple):
    """Where a running gateway listens."""

    grpc: int
    http: int


async def main(settings: Settings, life: Lifecycle) -> None:
    async with admin.serve(settings.admin, life), serve(settings, life):
        life.ready.set()
        await life.stop.wait()


@asynccontextmanager
async def serve(settings: Settings, life: Lifecycle) -> AsyncIterator[Ports]:
    """Both fronts on the backends. Leaving it drains HTTP first, then gRPC, then closes the channels."""
    methods = all_methods()
    clock, streams = SystemClock(), Streams()
    admission = Admission(settings.calls)
    gate = Gate(settings.token_key, clock, admission)
    addresses = {
        "registry": settings.registry,
        "scheduler": settings.scheduler,
        "recorder": settings.recorder,
        "executor": settings.executor,
    }
    async with backends.connect(addresses, methods) as services:
        by_path = {method.path: method for method in methods}
        site = Site(
            rpcs=connect.Application(methods, services, gate, streams),
            downloads=Downloads(by_path, services, gate),
            hooks=Hooks(by_path, services, settings.token_key, clock, admission),
            console=console.load(),
            requests=2 * settings.calls,
        )
        async with (
            rpc.serve(
                settings.listen,
                door.services(methods, services),
                life=life,
                interceptors=[AccessInterceptor(settings.token_key, clock, admission)],
                translate=statuses.to_status,
            ) as grpc_port,
            web.serve(settings.http, site, streams) as http_port,
        ):
            yield Ports(grpc=grpc_port, http=http_port)
