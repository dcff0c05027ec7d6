"""Driving schedules and triggers: streams held and followed, their runs started, the ends of runs noted.

A stream is driven by one task at a time; what comes meanwhile makes the task go round again. A stream whose
work failed is tried again later, longer each time.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar

from foldline.chassis import logs, loops
from foldline.chassis.clock import Clock
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.run_events import Event
from foldline.domain.schedules import ScheduleState
from foldline.domain.spec import Json
from foldline.domain.triggers import TriggerState
from foldline.eventstore import facts
from foldline.eventstore.port import EventStore
from foldline_scheduler.owner import Owner
from foldline_scheduler.schedules.starts import Starts
from foldline_scheduler.schedules.stream import Evolve, Stream
from foldline_scheduler.schedules.streams import actor_of
from foldline_scheduler.schedules.views import EndedRun, Views

log = logs.logger()

S = TypeVar("S", bound=ScheduleState | TriggerState)

ACTOR = "service:scheduler"
AT_ONCE = 32
"""Streams that are worked on at the same time: midnight must not flood the registry."""

RETRY_SECONDS = 1.0
_LATER = frozenset({Kind.UNAVAILABLE, Kind.CONFLICT, Kind.EXHAUSTED, Kind.UNAUTHENTICATED})
"""A start that fails so is tried again; any other refusal is final. The token is our own: when it is refused,
clocks disagree, and that passes."""


class Held(Generic[S]):
    """A stream in our hands."""

    def __init__(self, stream: Stream[S]) -> None:
        self.stream = stream
        self.started: set[str] = set()  # runs that are known to be in the ledger
        self.ends: dict[str, str] = {}  # how runs ended, to be noted
        self.is_busy = False
        self.is_wanted = False
        self.failures = 0
        self.next: datetime | None = None


class Driver(ABC, Generic[S]):
    category: str
    evolve: Evolve[S]
    end_run: Callable[..., Sequence[Event]]
    refuse_run: Callable[..., Sequence[Event]]

    def __init__(
        self,
        views: Views,
        store: EventStore,
        owner: Owner,
        starts: Starts,
        clock: Clock,
        tasks: asyncio.TaskGroup,
        stop: asyncio.Event,
    ) -> None:
        self.held: dict[str, Held[S]] = {}
        self._views = views
        self._store = store
        self._owner = owner
        self._starts = starts
        self._clock = clock
        self._tasks = tasks
        self._stop = stop
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def follow(self, ended: Iterable[EndedRun]) -> None:
        """Take over what became ours, let go what is not, see what others wrote, and which runs have ended.
        Called every second, with views that have caught up.
        """
        streams = await self._views.of(self.category, self._owner.partitions)
        for name in [name for name in self.held if name not in streams or not self._owner.owns(name)]:
            await self.let_go(self.held.pop(name))
        for name, version in streams.items():
            held = self.held.get(name)
            if held is None:
                held = self.held[name] = Held(await self.open(name))
                self.touch(held)
            elif held.stream.version < version:
                self.touch(held)
        for run in ended:
            held = self.held.get(run.stream)
            if held is not None:
                held.ends[run.run_id] = run.status
                self.touch(held)

    async def open(self, name: str) -> Stream[S]:
        """The stream as the ledger has it."""
        stream = Stream(name, self._store, self._clock, type(self).evolve, await self._views.load(name))
        await stream.load()
        return stream

    def require_room(self, workspace: str) -> None:
        """Raises EXHAUSTED where no more runs of the workspace are to be started now."""
        self._starts.require_room(workspace)

    def note(self, name: str) -> None:
        """Somebody wrote to the stream: have a look where it is ours."""
        if (held := self.held.get(name)) is not None:
            self.touch(held)

    def touch(self, held: Held[S]) -> None:
        held.is_wanted = True
        if not held.is_busy:
            held.is_busy = True
            self._tasks.create_task(self._drive(held))

    @abstractmethod
    async def work(self, held: Held[S]) -> None:
        """Do all that is to be done with the stream now. May raise FoldlineError: then it is called again."""

    async def let_go(self, held: Held[S]) -> None:
        """The stream is no longer ours."""

    async def _drive(self, held: Held[S]) -> None:
        try:
            while held.is_wanted and self._is_ours(held) and not self._stop.is_set():
                held.is_wanted = False
                async with self._gate:
                    await self._try(held)
                if held.failures:
                    await loops.wait(self._stop, loops.pause(RETRY_SECONDS, held.failures - 1))
        finally:
            held.is_busy = False

    async def _try(self, held: Held[S]) -> None:
        try:
            await held.stream.load()
            await self.work(held)
            held.failures = 0
        except Exception as error:
            held.failures += 1
            held.is_wanted = True
            expected = isinstance(error, FoldlineError) and error.kind in _LATER
            log.warning(
                "starter_not_driven",
                stream=held.stream.name,
                exc_info=None if expected else error,
                error=str(error),
            )

    def _is_ours(self, held: Held[S]) -> bool:
        return self.held.get(held.stream.name) is held

    # -- runs --------------------------------------------------------------------------------------

    async def note_ends(self, held: Held[S]) -> None:
        """Make facts of the ends of runs."""
        while held.ends:
            run_id, status = next(iter(held.ends.items()))
            ended = partial(_unless_none, partial(self.end_run, run_id=run_id, status=status))
            await held.stream.write(ended, self.meta(held))
            held.ends.pop(run_id, None)

    async def start(
        self,
        held: Held[S],
        workflow: str,
        values: Mapping[str, Json],
        run_id: str,
        causes: tuple[str, ...] = (),
    ) -> None:
        """Start the run of a firing, or note why that is refused for good."""
        if run_id in held.started:
            return
        state = held.stream.state
        assert state is not None
        try:
            actor = actor_of(held.stream.name)
            await self._starts.start(actor, state.workspace, workflow, values, run_id, causes)
        except FoldlineError as error:
            if error.kind in _LATER:
                raise
            refusal = partial(self.refuse_run, run_id=run_id, reason=error.reason, message=error.message)
            await held.stream.write(partial(_unless_none, refusal), self.meta(held))
            return
        held.started.add(run_id)
        log.info("run_fired", stream=held.stream.name, run_id=run_id)

    def meta(self, held: Held[S]) -> facts.Meta:
        """Who and why of what follows from clock, event or run."""
        state = held.stream.state
        return facts.Meta(actor=ACTOR, workspace=state.workspace if state is not None else "")


def _unless_none(decide: Callable[[S], Sequence[Event]], state: S | None, _now: datetime) -> Sequence[Event]:
    return () if state is None else decide(state)
