"""Operations on a run, where they meet each other and the rest; test_forms shows each by itself."""

from __future__ import annotations

import pytest
from msgspec import UNSET
from msgspec.structs import replace
from tests.unit.domain.graphs import Game, function, graph
from tests.unit.domain.test_forms import Lab, call, double, play
from tests.unit.domain.test_forms import graph as forms

from foldline.domain.artifacts import Artifact
from foldline.domain.commands import (
    CreateRun,
    LoseAttempts,
    PauseRun,
    ProvideParameters,
    RequestStop,
    ResumeRun,
    RetrySteps,
    StopStep,
)
from foldline.domain.decision import Refused
from foldline.domain.run import ready
from foldline.domain.spec import Binding, Body, MetricRef, Parameter, Retry, Step
from foldline.domain.values import input_of


def test_a_step_that_is_retried_by_hand_has_all_its_attempts_again() -> None:
    game = Game(graph(function("a", retry=Retry(max_attempts=2))))
    for _ in range(2):
        game.schedule()
        game.fail("a")
    game.play(RetrySteps())
    game.schedule()

    assert game.fail("a") == ["AttemptFailed", "RetryScheduled"]
    game.schedule()
    assert game.fail("a") == ["AttemptFailed", "StepFailed", "RunFailed"]


def test_losses_before_a_retry_by_hand_are_forgiven() -> None:
    game = Game(graph(function("a")))
    for _ in range(10):
        game.schedule()
        game.play(LoseAttempts("ex"))
        game.wait(60)
    assert game.state.status == "failed"
    game.play(RetrySteps())
    game.schedule()

    assert game.play(LoseAttempts("ex")) == ["AttemptFailed", "RetryScheduled"]


def test_one_of_two_failed_steps_is_not_retried_alone_where_a_failure_stops_the_run() -> None:
    game = Game(graph(function("a"), function("b")))
    game.schedule()
    game.fail("a")
    game.fail("b")

    with pytest.raises(Refused, match="b failed, too"):
        game.play(RetrySteps(("a",)))
    game.play(RetrySteps(("a", "b")))
    assert ready(game.state, game.now) == ("a", "b")


def test_one_of_two_failed_steps_is_retried_alone_where_the_run_continues() -> None:
    game = Game(graph(function("a"), function("b"), on_failure="continue"))
    game.schedule()
    game.fail("a")
    game.fail("b")
    game.play(RetrySteps(("a",)))
    game.schedule()

    assert game.succeed("a") == ["AttemptSucceeded", "RunFailed"]
    assert game.state.failed_step == "b"


def test_a_run_that_was_stopped_before_anything_began_goes_on_by_a_retry() -> None:
    game = Game(graph(function("a"), function("b", "a")))
    game.play(RequestStop())

    assert game.play(RetrySteps()) == ["RunReopened"]
    assert ready(game.state, game.now) == ("a",)


def test_a_handler_cannot_be_stopped_before_its_time() -> None:
    game = Game(graph(function("a"), function("leave", handles="exit")))

    with pytest.raises(Refused, match="has not begun"):
        game.play(StopStep("leave"))


def test_a_handler_that_is_held_is_retried_and_the_run_ends() -> None:
    game = Game(graph(function("a"), function("leave", handles="exit", retry=Retry(on_exhausted="pause"))))
    game.schedule()
    game.succeed("a")
    game.schedule()
    assert game.fail("leave") == ["AttemptFailed", "StepHeld"]
    game.play(RetrySteps(("leave",)))
    game.schedule()

    assert game.succeed("leave") == ["AttemptSucceeded", "RunCompleted"]


def test_handlers_wait_until_a_paused_run_is_resumed() -> None:
    game = Game(graph(function("a"), function("leave", handles="exit")))
    game.schedule()
    game.play(PauseRun())

    assert game.succeed("a") == ["AttemptSucceeded"]
    assert game.play(ResumeRun()) == ["RunResumed", "RunEnding"]


def test_a_handler_may_take_a_metric_of_a_step_without_outputs() -> None:
    quiet = replace(call("a"), outputs=())
    leave = replace(call("leave", x=Binding(metric=MetricRef(step="a", name="m"))), handles="exit")

    world = play(forms(quiet, leave), Lab())

    assert world.state.step("leave").failure is not None
    assert world.state.step("leave").failure.reason == "METRIC_MISSING"  # type: ignore[union-attr]


def test_stopping_a_step_that_waits_leaves_no_trace_in_the_counters() -> None:
    game = Game(graph(function("a"), function("b")))

    assert game.play(StopStep("a")) == ["StepStopRequested", "StepStopped"]
    assert (game.state.active_steps, game.state.open_steps) == (0, 1)


def test_a_child_is_created_once_although_its_parameters_have_changed_since() -> None:
    inside = Step(name="i", kind="workflow", inputs={"x": Binding(value=1)}, body=Body(graph=double()))
    world = play(forms(inside), Lab())
    created = world.runs["run.i.1.0"].created

    assert world.command(CreateRun(replace(created, parameters={"x": 2})), created.run_id) == []


def test_a_value_that_is_given_by_hand_takes_the_place_of_an_artifact() -> None:
    step = replace(function("a"), inputs={"x": Binding(parameter="x")})
    stored = Artifact(digest="sha256:1", type="table", encoding="parquet")
    game = Game(graph(step, parameters=(Parameter(name="x", type="json"),)))
    game.live = replace(game.state, inputs={"x": stored})

    game.play(RetrySteps(values={"x": 3}))

    assert input_of(game.state, step.inputs["x"]).value == 3
    assert input_of(game.state, step.inputs["x"]).artifact is UNSET


def test_a_value_that_was_given_cannot_be_given_again_otherwise() -> None:
    game = Game(graph(function("a"), parameters=(Parameter(name="rows", type="int", delayed=True),)))
    game.play(ProvideParameters({"rows": 1}))

    assert game.play(ProvideParameters({"rows": 1})) == []
    with pytest.raises(Refused, match="has a value already"):
        game.play(ProvideParameters({"rows": 2}))


def test_force_that_was_asked_for_once_is_not_asked_for_again_while_handlers_end() -> None:
    game = Game(graph(function("a"), function("leave", handles="exit")))
    game.schedule()
    game.succeed("a")
    game.schedule()
    assert game.play(RequestStop(forced=True)) == ["RunStopRequested"]

    assert game.play(RequestStop(forced=True)) == []
