"""Deadlines: what they count from, and when they do not run."""

from __future__ import annotations

from msgspec.structs import replace
from tests.unit.domain.graphs import Game, failure, function, graph
from tests.unit.domain.test_forms import wait_step

from foldline.domain.commands import (
    FireTimers,
    PauseRun,
    ProvideParameters,
    RequestStop,
    ResumeRun,
    RetrySteps,
    ScheduleSteps,
)
from foldline.domain.spec import Binding, Parameter, Retry, Timeouts
from foldline.domain.timers import next_timer

QUEUE = Timeouts(queue_seconds=60)


def test_the_time_that_a_run_was_paused_is_no_waiting_for_an_executor() -> None:
    game = Game(graph(function("a", timeouts=QUEUE)))
    game.play(PauseRun())
    game.wait(1000)
    game.play(ResumeRun())

    assert game.play(FireTimers()) == []
    game.wait(61)
    assert game.play(FireTimers()) == ["StepFailed", "RunFailed"]


def test_the_time_that_a_person_took_for_a_parameter_is_no_waiting_for_an_executor() -> None:
    step = replace(function("a", timeouts=QUEUE), inputs={"rows": Binding(parameter="rows")})
    game = Game(graph(step, parameters=(Parameter(name="rows", type="int", delayed=True),)))
    game.wait(1000)
    game.play(ProvideParameters({"rows": 1}))

    assert game.play(FireTimers()) == []


def test_a_retry_waits_for_an_executor_from_when_it_is_due() -> None:
    step = function("a", timeouts=QUEUE, retry=Retry(max_attempts=2, delay_seconds=100))
    game = Game(graph(step))
    game.schedule()
    game.fail("a")
    game.wait(115)
    game.schedule()

    assert game.play(FireTimers()) == []
    game.wait(60)
    assert game.play(FireTimers()) == ["AttemptFailed", "StepFailed", "RunFailed"]


def test_a_step_that_is_retried_by_hand_has_its_time_again() -> None:
    step = function("a", timeouts=Timeouts(queue_seconds=60, total_seconds=600))
    game = Game(graph(step))
    game.schedule()
    game.fail("a")
    game.wait(1000)
    game.play(RetrySteps())
    game.schedule()

    assert game.play(FireTimers()) == []


def test_a_step_that_is_held_runs_out_of_no_time() -> None:
    step = function("a", timeouts=Timeouts(total_seconds=10), retry=Retry(on_exhausted="pause"))
    game = Game(graph(step))
    game.wait(11)
    assert game.play(FireTimers()) == ["StepHeld"]

    assert next_timer(game.state) is None
    assert game.play(FireTimers()) == []
    game.play(RetrySteps())
    assert game.play(FireTimers()) == []
    game.schedule()
    assert game.succeed("a") == ["AttemptSucceeded", "RunCompleted"]


def test_a_run_that_is_stopping_ends_as_stopped_although_a_step_runs_out_of_time() -> None:
    game = Game(graph(function("a", timeouts=Timeouts(total_seconds=10))))
    game.schedule()
    game.play(RequestStop())
    game.wait(11)

    assert game.play(FireTimers()) == ["AttemptFailed", "StepStopped", "RunStopped"]


def test_what_was_given_out_and_never_started_runs_out_of_time_although_the_run_starts_nothing_more() -> None:
    game = Game(graph(function("a", timeouts=QUEUE), function("b")))
    game.schedule()
    game.fail("b")
    game.wait(61)

    assert game.play(FireTimers()) == ["AttemptFailed", "StepFailed", "RunFailed"]


def test_what_was_given_out_and_never_started_does_not_keep_a_run_from_stopping() -> None:
    game = Game(graph(function("a", timeouts=QUEUE)))
    game.schedule()
    game.play(RequestStop())
    game.wait(61)

    assert game.play(FireTimers()) == ["AttemptFailed", "StepStopped", "RunStopped"]


def test_what_waits_for_an_executor_in_a_run_that_starts_nothing_more_does_not_fail() -> None:
    game = Game(graph(function("a", timeouts=QUEUE), function("b"), function("c")))
    game.play(ScheduleSteps((("b", "ex"), ("c", "ex"))))
    game.fail("b")
    game.wait(61)

    assert game.play(FireTimers()) == []


def test_a_question_of_a_run_that_is_stopping_does_not_fail_it() -> None:
    game = Game(graph(function("a"), wait_step(deadline_seconds=5)))
    game.schedule()
    game.play(RequestStop())
    game.wait(6)
    assert game.play(FireTimers()) == []

    assert game.fail("a", failure("stopped")) == ["AttemptFailed", "StepStopped", "RunStopped"]
