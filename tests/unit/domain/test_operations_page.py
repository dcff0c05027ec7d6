"""The table of docs/operations-on-runs.md, status by status: what the rules say is what is written there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from foldline.domain.commands import (
    Answer,
    AnswerWait,
    Command,
    DeliverEvent,
    PauseRun,
    RequestStop,
    ResumeRun,
    RetrySteps,
)
from foldline.domain.decide import decide
from foldline.domain.errors import FoldlineError
from foldline.domain.spec import Function, Graph, Output, Step, Wait
from foldline.domain.work import Work
from foldline.testing.world import StepRaises, World

PAGE = (Path(__file__).parents[3] / "docs" / "operations-on-runs.md").read_text(encoding="utf-8")
WORK = Step(name="work", kind="function", function=Function(module="m", name="work"))
ASKS = Step(
    name="asks", kind="wait", wait=Wait(kind="approve"), outputs=(Output(name="approved", type="bool"),)
)
SIGNALLED = Step(name="arrives", kind="wait", wait=Wait(kind="event", event="ready"))
LAST = Step(name="last", kind="wait", wait=Wait(kind="event", event="never"), handles="exit")

OPERATIONS: Mapping[str, Command] = {
    "stop": RequestStop(),
    "stop with force": RequestStop(forced=True),
    "pause": PauseRun(),
    "resume": ResumeRun(),
    "retry": RetrySteps(),
    "answer": AnswerWait("asks", Answer(approved=True), "ada"),
    "signal": DeliverEvent("ready", None, "ada"),
}


def does(_: Work) -> dict[str, int]:
    return {}


def raises(_: Work) -> dict[str, int]:
    raise StepRaises


def a_run(*steps: Step, behave: Callable[[Work], Mapping[str, int]] = does) -> World:
    return World(Graph(name="page", steps=steps), behave=behave)


def created() -> World:
    return a_run(WORK, ASKS, SIGNALLED)


def running() -> World:
    """One step has failed, and the run goes on."""
    graph = Graph(name="page", steps=(WORK, ASKS, SIGNALLED), on_failure="continue")
    world = World(graph, behave=raises)
    world.attempt(world.run_id, "work")
    return world


def paused() -> World:
    world = running()
    world.command(PauseRun())
    return world


def ending() -> World:
    world = a_run(ASKS, SIGNALLED, LAST)
    world.command(RequestStop())
    return world


def completed() -> World:
    world = created()
    world.command(AnswerWait("asks", Answer(approved=True), "ada"))
    world.command(DeliverEvent("ready", None, "ada"))
    world.run()
    return world


def failed() -> World:
    world = a_run(WORK, ASKS, behave=raises)
    world.run()
    return world


def stopped() -> World:
    world = created()
    world.command(RequestStop())
    return world


STATES: dict[str, tuple[int, Callable[[], World]]] = {
    "running": (0, running),
    "paused": (1, paused),
    "ending": (3, ending),
    "completed": (4, completed),
    "failed": (5, failed),
    "stopped": (5, stopped),
}
"""By status: the column of the table, and a run in it."""


def written(operation: str) -> list[str]:
    table = PAGE.partition("| operation | created, running |")[2].partition("\n\n")[0]
    row = re.search(rf"^\| {operation} \|(.*)\|$", table, re.MULTILINE)
    assert row, f"the page has no line for {operation}"
    return [cell.strip().strip("`") for cell in row[1].split("|")]


def outcome(world: World, command: Command) -> str:
    try:
        return "yes" if decide(world.state, command, world.clock.now()) else "same"
    except FoldlineError as error:
        return error.reason


@pytest.mark.parametrize("status", STATES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_table_says_what_becomes_of(operation: str, status: str) -> None:
    column, make = STATES[status]
    world = make()
    assert world.state.status == status

    found = outcome(world, OPERATIONS[operation])

    expected = written(operation)[column]
    if expected.startswith("what "):
        assert found == "yes"
    elif expected.startswith(("handlers", "held handlers")):
        assert found in {"NOT_ASKING", "NOBODY_WAITS", "RUN_ENDING"}
    else:
        assert found == expected
