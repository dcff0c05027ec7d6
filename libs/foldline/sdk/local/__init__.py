"""Running a workflow here, without any service: the same core and the same step processes as in production.

A local run is scheduler and executor in one: it asks `decide` what to do, starts attempts with the launcher,
turns what became of them into reports, and writes every event to the record before anybody sees it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from foldline import environments
from foldline.artifacts.store import open_store
from foldline.chassis import background
from foldline.chassis.clock import Clock, SystemClock, new_id
from foldline.domain import parameters, selection
from foldline.domain.relations import Reuse
from foldline.domain.run import RunState
from foldline.domain.run_events import RunCreated
from foldline.domain.spec import Environment, Graph, Json
from foldline.execution.lists import Lists
from foldline.runtime.launcher import Launcher, Line
from foldline.sdk.local import questions
from foldline.sdk.local.asking import Ask, Desk
from foldline.sdk.local.attempts import LocalAttempts, Logged
from foldline.sdk.local.earlier import given_by
from foldline.sdk.local.loop import Loop, Reply, Stop
from foldline.sdk.local.questions import Question, Typed
from foldline.sdk.local.runs import Changed
from foldline.sdk.record import Record

__all__ = ["Ask", "Changed", "Logged", "Question", "Typed", "given_by", "run"]

WORKSPACE = "local"

_OF_ANOTHER_PYTHON = (
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONPYCACHEPREFIX",
    "PYTHONSTARTUP",
    "VIRTUAL_ENV",
)


async def run(
    graph: Graph,
    values: Mapping[str, Json],
    *,
    root: Path,
    home: Path,
    environment: Environment | None = None,
    selected: Sequence[str] = (),
    given: Mapping[str, Reuse] | None = None,
    answers: Mapping[str, Json] | None = None,
    ask: Ask | None = None,
    changed: Changed = lambda *_: None,
    logged: Logged = lambda *_: None,
    stop: asyncio.Event | None = None,
    force: asyncio.Event | None = None,
    clock: Clock | None = None,
) -> RunState:
    """Run `graph`, whose code is in the folder `root`, to its end and return the final state.

    Steps run in the Python environment of this process, or in `environment`, which is built when it is new.
    Of a partial run `selected` are its steps (`selection.select`), and `given` is what an earlier run gives
    to them (`given_by`).

    Questions of the run are answered from `answers`, by the step's name or place, and otherwise by `ask`. A
    question that nobody answers stops the run once nothing else moves: PRECONDITION NOT_ANSWERED.

    Everything is kept under `home`: the record in runs/<run id>, values in artifacts. Setting `stop` stops
    the run the way `foldline stop` does, `force` kills what still runs. Raises FoldlineError where the values
    do not fit the parameters.
    """
    created = _created(graph, values, selected, given or {})
    questions.check_names(answers or {}, graph)
    store = open_store(str(home / "artifacts"))
    clock = clock or SystemClock()
    async with AsyncExitStack() as opened:
        python = await opened.enter_async_context(_python(environment, home, logged))
        record = Record.create(home, created.run_id)
        opened.callback(shutil.rmtree, record.work, ignore_errors=True)
        launcher = Launcher(record.work, environ=_environ(environment))
        attempts = LocalAttempts(
            await opened.enter_async_context(launcher),
            store,
            work=record.work,
            root=root,
            python=python,
            logged=logged,
            clock=clock,
        )
        loop = Loop(attempts, Lists(store), clock, changed)
        async with background.tasks() as tasks:
            for event, forced in ((stop, False), (force, True)):
                if event is not None:
                    tasks.create_task(_watch(event, loop, forced=forced))
            desk = Desk(answers or {}, ask, lambda *reply: loop.inbox.put_nowait(Reply(*reply)), tasks)
            state = await loop.to_end(created, record, desk, tasks)
    if loop.given_up is not None:
        raise loop.given_up
    return state


@asynccontextmanager
async def _python(environment: Environment | None, home: Path, logged: Logged) -> AsyncIterator[Path]:
    """The interpreter of the steps; what building it has to say is shown like the output of a step."""
    if environment is None:
        yield Path(sys.executable)
        return

    async def tell(line: str) -> None:
        logged("environment", 0, Line("system", line))

    built = environments.Environments(home / "environments")
    async with built.use(environment, tell) as python:
        await asyncio.to_thread(built.collect)
        yield python


def _environ(environment: Environment | None) -> dict[str, str]:
    """A step sees here what the author's shell has; on an installation it sees what the executor gives.

    What the shell says to its own Python is none of a built environment's business: it would bring packages
    into it, or have all byte code compiled anew by every run.
    """
    given = dict(os.environ)  # noqa: TID251
    if environment is not None:
        for name in _OF_ANOTHER_PYTHON:
            given.pop(name, None)
    return given


def _created(
    graph: Graph, values: Mapping[str, Json], selected: Sequence[str], given: Mapping[str, Reuse]
) -> RunCreated:
    selection.require(graph, selected, given)
    return RunCreated(
        run_id=new_id(),
        workspace=WORKSPACE,
        workflow=graph.name,
        release="",
        region=WORKSPACE,
        graph=graph,
        parameters=parameters.check(selection.parameters_of(graph, selected, values), values),
        selection=tuple(selected),
        given=dict(given),
        cache="off",
    )


async def _watch(event: asyncio.Event, loop: Loop, *, forced: bool) -> None:
    """Tell the loop once somebody has set the event."""
    await event.wait()
    loop.inbox.put_nowait(Stop(forced))
