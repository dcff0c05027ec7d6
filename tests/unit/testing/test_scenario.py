"""The test kit tests itself."""

from __future__ import annotations

from datetime import timedelta

import pytest

from foldline.domain.commands import CreateRun, RequestStop, ScheduleSteps
from foldline.domain.run_events import RunCompleted, RunCreated, RunStopped, RunStopRequested, StepScheduled
from foldline.domain.spec import Function, Graph, Step
from foldline.testing import ManualClock, given

CREATED = RunCreated(
    run_id="r",
    workspace="w",
    workflow="f",
    release="",
    region="local",
    graph=Graph(name="f", steps=(Step(name="a", kind="function", function=Function(module="m", name="a")),)),
)


def test_given_when_then_follows_a_run() -> None:
    scenario = given(CREATED).when(ScheduleSteps((("a", "s"),)))

    scenario.then(StepScheduled(step="a", attempt=1, executor="s"))
    assert scenario.state is not None
    assert scenario.state.status == "running"


def test_a_command_that_was_carried_out_before_leads_to_nothing() -> None:
    given(CREATED).when(CreateRun(CREATED)).then()


def test_a_refusal_is_told_from_an_answer() -> None:
    scenario = given(CREATED).when(RequestStop("enough"))

    scenario.then(RunStopRequested(reason="enough"), RunStopped(workflow=CREATED.workflow)).then_types(
        "RunStopRequested", "RunStopped"
    )
    scenario.when(RequestStop()).refused("RUN_ENDED")
    with pytest.raises(AssertionError, match="RUN_ENDED"):
        scenario.then(RunCompleted())
    with pytest.raises(AssertionError, match="not refused"):
        given(CREATED).when(RequestStop()).refused("RUN_ENDED")


def test_a_manual_clock_moves_when_it_is_told() -> None:
    clock = ManualClock()
    start = clock.now()

    assert clock.now() == start
    assert clock.advance(5) == start + timedelta(seconds=5)
    assert clock.advance(-10) == start - timedelta(seconds=5)
