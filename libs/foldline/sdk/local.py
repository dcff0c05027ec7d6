"""Running a workflow here, without any service: the same core and the same step processes as in production.

`LocalRun` is scheduler and executor in one: it asks `decide` what to do, starts attempts with the launcher,
turns what became of them into reports, and writes every event to the record before anybody sees it.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from foldline import environments
from foldline.artifacts.store import open_store
from foldline.chassis.clock import Clock, SystemClock, new_id
from foldline.domain import commands, parameters
from foldline.domain.assignments import work_for
from foldline.domain.decide import decide
from foldline.domain.evolve import evolve
from foldline.domain.run import RunState, ready
from foldline.domain.run_events import RunCreated, RunEvent
from foldline.domain.spec import Environment, Graph, Json
from foldline.domain.timers import next_timer
from foldline.domain.work import Report
from foldline.runtime.launcher import Launcher, Line
from foldline.sdk.attempts import LocalAttempts
from foldline.sdk.record import Record

WORKSPACE = "local"

Changed = Callable[[RunState, Sequence[RunEvent], datetime], None]
"""Told after each step forward: the new state, the events that led to it, and when."""

Logged = Callable[[str, int, Line], None]
"""Told each line that an attempt writes: step, attempt number, line."""


async def run(
    graph: Graph,
    values: Mapping[str, Json],
    *,
    root: Path,
    home: Path,
    environment: Environment | None = None,
    changed: Changed = lambda *_: None,
    logged: Logged = lambda *_: None,
    stop: asyncio.Event | None = None,
    clock: Clock | None = None,
) -> RunState:
    """Run `graph`, whose code is in the folder `root`, to its end and return the final state.

    Steps run in the Python environment of this process, or in `environment`, which is built when it is new.

    Everything is kept under `home`: the record in runs/<run id>, values in artifacts. Setting `stop` stops
    the run the way `foldline stop` does. Raises FoldlineError where the values do not fit the parameters.
    """
    created = RunCreated(
        run_id=new_id(),
        workspace=WORKSPACE,
        workflow=graph.name,
        release="",
        region=WORKSPACE,
        graph=graph,
        parameters=parameters.check(graph.parameters, values),
    )
    python = Path(sys.executable)
    if environment is not None:
        python = await environments.build(environment, home / "environments")
    record = Record.create(home, created.run_id)
    store = open_store(str(home / "artifacts"))
    # A step sees here what the author's shell has; on an installation it sees what the executor gives.
    environ = dict(os.environ)  # noqa: TID251
    try:
        async with Launcher(record.work, environ=environ) as launcher:
            attempts = LocalAttempts(launcher, store, record, root=root, python=python, logged=logged)
            local = _LocalRun(created, attempts, record, changed, clock or SystemClock())
            return await local.to_end(stop or asyncio.Event())
    finally:
        shutil.rmtree(record.work, ignore_errors=True)


class _LocalRun:
    """One run on its way to the end."""

    def __init__(
        self,
        created: RunCreated,
        attempts: LocalAttempts,
        record: Record,
        changed: Changed,
        clock: Clock,
    ) -> None:
        self._attempts = attempts
        self._record = record
        self._changed = changed
        self._clock = clock
        self._slots = os.cpu_count() or 1
        self._reports: asyncio.Queue[Report] = asyncio.Queue()
        self._state = self._advance(None, commands.CreateRun(created))

    async def to_end(self, stop: asyncio.Event) -> RunState:
        async with asyncio.TaskGroup() as tasks:
            stopping = tasks.create_task(stop.wait())
            while not self._state.is_final:
                self._start_ready(tasks)
                await self._next_report(stopping)
                if stop.is_set() and self._state.takes_work:
                    self._stop()
            stopping.cancel()
        return self._state

    def _start_ready(self, tasks: asyncio.TaskGroup) -> None:
        free = self._slots - self._state.active_steps
        names = ready(self._state, self._clock.now())[: max(0, free)]
        if not names:
            return
        session = self._attempts.session
        self._apply(commands.ScheduleSteps(tuple((name, session) for name in names)))
        for name in names:
            tasks.create_task(self._attempts.carry_out(work_for(self._state, name), self._reports.put_nowait))

    async def _next_report(self, stopping: asyncio.Task[bool]) -> None:
        """Wait for a report, a retry that falls due, or a stop; carry out all reports that are there."""
        if self._state.is_final:
            return
        due = next_timer(self._state)
        timeout = None if due is None else max(0.0, (due - self._clock.now()).total_seconds())
        getting = asyncio.ensure_future(self._reports.get())
        waiting: set[asyncio.Future[object]] = {getting}  # type: ignore[arg-type]  # Future is invariant
        if not stopping.done():
            waiting.add(stopping)  # type: ignore[arg-type]  # as above
        await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if not getting.done():
            getting.cancel()
            return
        self._receive(getting.result())
        while not self._reports.empty():
            self._receive(self._reports.get_nowait())

    def _receive(self, report: Report) -> None:
        self._apply(commands.ReceiveReport(report, jitter=random.random()))  # noqa: S311  # spreads retries

    def _stop(self) -> None:
        self._apply(commands.RequestStop("stopped from the keyboard"))
        for step in self._state.steps:
            if step.is_active:
                self._attempts.stop(work_for(self._state, step.name))

    def _apply(self, command: commands.Command) -> None:
        self._state = self._advance(self._state, command)

    def _advance(self, state: RunState | None, command: commands.Command) -> RunState:
        now = self._clock.now()
        events = decide(state, command, now)
        for event in events:
            state = evolve(state, event, now)
            self._record.write(state.version, event, now)
        assert state is not None
        if events:
            self._changed(state, events, now)
        return state
