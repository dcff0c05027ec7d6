"""Runs inside runs: ends that come late, pauses and stops between two of them, counts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.domain.test_forms import Lab, call, double, graph, map_step, play, ref, repeat_step

from foldline.domain.artifacts import inline
from foldline.domain.assignments import work_for
from foldline.domain.commands import (
    FireTimers,
    PauseRun,
    ReceiveChild,
    ReceiveReport,
    RequestStop,
    ResumeRun,
    ScheduleSteps,
    StopStep,
)
from foldline.domain.decide import decide
from foldline.domain.inner import DEEPEST, ended
from foldline.domain.spec import Binding, Body, Graph, Map, Output, Parameter, Step, Timeouts
from foldline.domain.work import Report
from foldline.testing.world import World


def begin(declared: Graph) -> World:
    """A run whose functions double; a test carries out the attempts itself."""
    lab = Lab()
    world = World(declared, behave=lambda work: lab(work))
    lab.world = world
    return world


def inside(**changes: object) -> Step:
    step = Step(
        name="inside",
        kind="workflow",
        inputs={"x": Binding(value=21)},
        outputs=(Output(name="output"),),
        body=Body(graph=double()),
    )
    return replace(step, **changes)


def test_the_end_of_a_run_inside_a_step_that_ran_out_of_time_is_too_late() -> None:
    world = begin(graph(inside(timeouts=Timeouts(total_seconds=5)), call("b"), on_failure="continue"))
    world.clock.advance(6)
    world.command(FireTimers())
    assert world.state.step("inside").status == "failed"
    child = world.runs["run.inside.1.0"]
    assert child.status == "stopped"

    assert world.command(ReceiveChild(ended(child))) == []
    assert world.run().status == "failed"
    assert world.command(ReceiveChild(ended(child))) == []


def test_a_loop_that_was_paused_between_two_iterations_goes_on_when_resumed() -> None:
    world = begin(graph(repeat_step(4)))
    world.command(PauseRun())
    world.command(ResumeRun(), "run.loop.1.0")
    world.attempt("run.loop.1.0", "double")
    assert world.state.step("loop").status == "running"
    assert "run.loop.1.1" not in world.runs

    world.command(ResumeRun())

    assert world.run().status == "completed"
    assert world.state.step("loop").outputs["output"].value == 4


def between_iterations() -> World:
    world = begin(graph(repeat_step(4)))
    world.command(PauseRun())
    world.command(ResumeRun(), "run.loop.1.0")
    world.attempt("run.loop.1.0", "double")
    return world


def test_a_run_that_is_paused_between_two_iterations_can_be_stopped() -> None:
    world = between_iterations()

    world.command(RequestStop())

    assert world.state.status == "stopped"


def test_a_loop_that_is_paused_between_two_iterations_can_be_stopped() -> None:
    world = between_iterations()

    world.command(StopStep("loop"))

    assert world.state.status == "stopped"


def test_a_run_that_was_paused_by_hand_stays_so_when_the_run_around_it_goes_on() -> None:
    world = begin(graph(inside()))
    world.command(PauseRun(), "run.inside.1.0")
    world.command(PauseRun())

    world.command(ResumeRun())

    assert world.runs["run.inside.1.0"].status == "paused"


def test_a_resume_that_did_not_reach_the_runs_inside_reaches_them_after_a_restart() -> None:
    world = begin(graph(inside()))
    world.command(PauseRun())
    world.command(PauseRun(by_parent=True), "run.inside.1.0")
    state, history = world.state, world.histories["run"]
    for event in decide(state, ResumeRun(), world.clock.now()):
        history.append((event, world.clock.now()))

    world.restart()

    assert world.run().status == "completed"


def test_a_map_that_was_paused_goes_on_with_the_children_that_had_no_room() -> None:
    world = begin(graph(map_step(Binding(value=list(range(1700))))))
    assert len(world.state.step("each").children.open) == 16  # type: ignore[union-attr]
    world.command(PauseRun())
    for run_id in [one for one in world.runs if one != "run"]:
        world.command(ResumeRun(), run_id)
    world.run()
    assert world.state.step("each").status == "running"

    world.command(ResumeRun())

    assert world.run().status == "completed"


def test_the_last_iteration_of_a_loop_counts_also_when_the_run_is_stopping() -> None:
    world = begin(graph(repeat_step(2)))
    world.command(ScheduleSteps((("double", "ex"),)), "run.loop.1.0")
    work = work_for(world.runs["run.loop.1.0"], "double")
    world.command(RequestStop())
    assert world.state.status == "stopping"

    done = Report(key=work.key, session="ex", kind="succeeded", outputs={"output": inline(2)}, seconds=1)
    world.command(ReceiveReport(done), work.key.run_id)

    assert world.state.step("loop").outputs["output"].value == 2
    assert world.state.status == "completed"


def test_a_failed_item_gives_null_also_where_its_output_was_produced() -> None:
    body = double()
    spoiled = replace(body, steps=(*body.steps, call("check", x=Binding(parameter="x"))))
    step = replace(map_step(Binding(value=[1, 2]), tolerated=1), body=Body(graph=spoiled))
    lab = Lab()
    world = World(graph(step), behave=lambda work: lab(work))
    lab.world = world
    world.attempt("run.each.1.0", "double.1")
    lab.failing = [2]

    world.run()

    assert world.value(world.state.step("each").outputs["output"]) == [2, None]


def test_a_step_that_is_stopped_in_one_item_leaves_the_other_items_alone() -> None:
    world = begin(graph(map_step(Binding(value=[1, 2, 3]), tolerated=1)))
    world.command(StopStep("double.1"), "run.each.1.0")

    world.run()

    assert world.state.status == "completed"
    assert world.value(world.state.step("each").outputs["output"]) == [2, None, 6]


def test_an_item_that_was_stopped_and_is_not_tolerated_fails_the_map() -> None:
    world = begin(graph(map_step(Binding(value=[1, 2, 3]))))
    world.command(StopStep("double.1"), "run.each.1.0")

    assert world.state.failure is not None
    assert "1 of 3 items failed" in world.state.failure.message
    assert "double.1 was stopped by hand" in world.state.failure.message


def nested(levels: int) -> Graph:
    """Maps within maps, each over one item."""
    body = double("x")
    for _ in range(levels):
        each = Step(
            name="each",
            kind="map",
            inputs={"x": Binding(value=[1])},
            outputs=(Output(name="output", type="list"),),
            body=Body(graph=body),
            map=Map(over="x"),
        )
        body = Graph(
            name="body",
            parameters=(Parameter(name="x", type="json"),),
            steps=(each,),
            outputs={"output": ref("each")},
        )
    return replace(body, parameters=())


@pytest.mark.parametrize(("levels", "status"), [(DEEPEST, "completed"), (DEEPEST + 1, "failed")])
def test_maps_within_maps_go_as_deep_as_any_runs_within_runs(levels: int, status: str) -> None:
    assert play(nested(levels)).state.status == status
