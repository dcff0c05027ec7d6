"""What drives runs, put together of what was opened: one place for the service and for its tests."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import NamedTuple

import grpc

from foldline.artifacts.port import ArtifactStore
from foldline.bus.port import Bus
from foldline.chassis.clock import Clock
from foldline.eventstore.port import EventStore
from foldline.execution.lists import Lists
from foldline.pg.connect import Pool
from foldline_scheduler.backlog import RUNS, Backlog
from foldline_scheduler.executors import Executors
from foldline_scheduler.forks import Forks
from foldline_scheduler.handlers import Handlers
from foldline_scheduler.heads import Heads
from foldline_scheduler.limits import Limits
from foldline_scheduler.lineages import Lineages
from foldline_scheduler.listener import Listener
from foldline_scheduler.orders import Orders
from foldline_scheduler.owner import Owner
from foldline_scheduler.queue import Queue
from foldline_scheduler.recalls import Recalls
from foldline_scheduler.releases import Releases
from foldline_scheduler.reuse import ReuseTable
from foldline_scheduler.roster import Roster
from foldline_scheduler.sizes import Flavors


class Base(NamedTuple):
    """What the engine stands on, opened; `tasks` and `stop` end with the process."""

    pool: Pool
    store: EventStore
    bus: Bus
    artifacts: ArtifactStore
    clock: Clock
    tasks: asyncio.TaskGroup
    stop: asyncio.Event


class Engine(NamedTuple):
    owner: Owner
    listener: Listener
    lineages: Lineages

    def handlers(self, base: Base, registry: grpc.aio.Channel) -> Handlers:
        """The use cases, for a gRPC edge."""
        releases = Releases(registry, Heads(base.store))
        forks = Forks(releases, self.lineages, Lists(base.artifacts), ReuseTable(base.pool))
        roster = Roster(self.owner.executors, base.bus, time.monotonic)
        return Handlers(self.owner, base.bus, releases, forks, base.clock, roster)


def assemble(
    base: Base,
    *,
    silence_seconds: float,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    flavors: Flavors | None = None,
    backlog: int = RUNS,
) -> Engine:
    orders = Orders(base.bus)
    executors = Executors(flavors)
    lineages = Lineages(base.store)
    owner = Owner(
        base.store,
        Queue(executors, limits, flavors, Backlog(backlog)),
        orders,
        Lists(base.artifacts),
        base.clock,
        base.tasks,
        executors=executors,
        monotonic=time.monotonic,
        stop=base.stop,
        recalls=partial(Recalls, lineages, ReuseTable(base.pool)),
    )
    listener = Listener(
        owner, orders, base.bus, base.tasks, silence_seconds=silence_seconds, monotonic=time.monotonic
    )
    return Engine(owner, listener, lineages)
