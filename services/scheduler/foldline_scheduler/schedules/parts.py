"""Schedules and triggers put together: their services, and the loops that drive them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from foldline.api.scheduler.v1.schedule_service_pb2_grpc import add_ScheduleServiceServicer_to_server
from foldline.api.scheduler.v1.trigger_service_pb2_grpc import add_TriggerServiceServicer_to_server
from foldline.bus.port import Bus
from foldline.chassis import loops, rpc
from foldline.chassis.clock import Clock
from foldline.chassis.settings import Secret
from foldline.eventstore.port import EventStore
from foldline.pg.connect import Pool
from foldline_scheduler.handlers import Handlers
from foldline_scheduler.owner import Owner
from foldline_scheduler.schedules.desk import Desk, Registry
from foldline_scheduler.schedules.schedule_servicer import ScheduleServicer
from foldline_scheduler.schedules.schedules import Schedules
from foldline_scheduler.schedules.starts import Starts
from foldline_scheduler.schedules.trigger_servicer import TriggerServicer
from foldline_scheduler.schedules.triggers import Triggers
from foldline_scheduler.schedules.views import Views

FOLLOW_SECONDS = 1.0
TICK_SECONDS = 0.25
FLUSH_SECONDS = 1.0

_PACKAGE = "foldline.api.scheduler.v1"


class Parts:
    def __init__(
        self,
        pool: Pool,
        store: EventStore,
        bus: Bus,
        owner: Owner,
        handlers: Handlers,
        registry: grpc.aio.Channel,
        key: Secret,
        clock: Clock,
        tasks: asyncio.TaskGroup,
        stop: asyncio.Event,
    ) -> None:
        views = self._views = Views(pool, store)
        self._owner = owner
        starts = Starts(handlers, store, key, clock)
        self._stop = stop
        self._tasks = tasks
        self.schedules = Schedules(views, store, owner, starts, clock, tasks, stop)
        self.triggers = Triggers(views, store, owner, starts, clock, tasks, stop)
        self.triggers.listen_on(bus)
        known = Registry(registry)
        schedules = Desk(views, store, clock, Schedules.evolve, self.schedules.note)
        triggers = Desk(views, store, clock, Triggers.evolve, self.triggers.note)
        self.services = [
            rpc.Service(
                f"{_PACKAGE}.ScheduleService",
                add_ScheduleServiceServicer_to_server,
                ScheduleServicer(schedules, views, known),
            ),
            rpc.Service(
                f"{_PACKAGE}.TriggerService",
                add_TriggerServiceServicer_to_server,
                TriggerServicer(triggers, views, known, self.triggers),
            ),
        ]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Drive until the process stops."""
        for name, seconds, fn in (
            ("schedules_and_triggers", FOLLOW_SECONDS, self._follow),
            ("schedule_times", TICK_SECONDS, self.schedules.tick),
            ("ignored_events", FLUSH_SECONDS, self.triggers.flush),
        ):
            self._tasks.create_task(loops.every(seconds, fn, name=name, until=self._stop))
        try:
            yield
        finally:
            await self.triggers.close()

    async def _follow(self) -> None:
        """What both have to know is asked once. Neither waits for the other to be well."""
        await self._views.catch_up()
        ended = await self._views.ended(self._owner.partitions)
        following = (self.schedules.follow(ended), self.triggers.follow(ended))
        for problem in await asyncio.gather(*following, return_exceptions=True):
            if problem is not None:
                raise problem
