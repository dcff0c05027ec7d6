"""Every rule of a run, played by hand."""

from __future__ import annotations

import pytest
from tests.unit.domain.graphs import Game, condition, failure, function, graph, guarded, output, report

from foldline.domain.commands import LoseAttempts, ReceiveReport, RequestStop
from foldline.domain.decide import Refused
from foldline.domain.evolve import fold
from foldline.domain.run import ready
from foldline.domain.spec import Retry, Timeouts
from foldline.domain.timers import next_timer
from foldline.domain.work import AttemptKey


def test_a_run_goes_through_its_steps_and_completes() -> None:
    game = Game(graph(function("a"), function("b", "a"), outputs={"result": output("b")}))

    assert game.schedule() == ["StepScheduled"]
    assert game.play(ReceiveReport(report("a", 1, "started"))) == ["AttemptStarted"]
    assert game.succeed("a") == ["AttemptSucceeded"]
    assert ready(game.state, game.now) == ("b",)
    game.schedule()
    assert game.succeed("b", 42) == ["AttemptSucceeded", "RunCompleted"]
    assert game.state.status == "completed"
    assert game.state.outputs["result"].value == 42


def test_independent_steps_are_ready_together() -> None:
    game = Game(graph(function("a"), function("b"), function("join", "a", "b")))

    game.schedule()
    game.succeed("b")

    assert game.status("join") == "waiting"
    game.succeed("a")
    assert ready(game.state, game.now) == ("join",)


def test_a_condition_chooses_a_branch_and_skips_the_other() -> None:
    check = condition("check", output("a", "score"), ">=", 0.9)
    game = Game(
        graph(
            function("a"),
            check,
            guarded(function("accept"), "check", True),
            guarded(function("reject"), "check", False),
            function("after_reject", "reject"),
        )
    )
    game.schedule()

    events = game.succeed("a", {"score": 0.95})

    assert events == ["AttemptSucceeded", "ConditionDecided", "StepSkipped", "StepSkipped"]
    assert game.state.step("check").note == "0.95 >= 0.9"
    assert (game.status("reject"), game.status("after_reject")) == ("skipped", "skipped")
    assert ready(game.state, game.now) == ("accept",)


def test_a_step_on_a_live_branch_runs_although_another_root_was_skipped() -> None:
    game = Game(
        graph(
            function("a"),
            condition("check", output("a"), "==", 1),
            guarded(function("no"), "check", True),
            function("join", "a", after=("no",)),
        )
    )
    game.schedule()

    game.succeed("a", 2)

    assert game.status("no") == "skipped"
    assert ready(game.state, game.now) == ("join",)


def test_a_condition_on_a_missing_key_fails_the_run_and_names_the_key() -> None:
    game = Game(graph(function("a"), condition("check", output("a", "score"), ">", 1)))
    game.schedule()

    assert game.succeed("a", {"scor": 1}) == ["AttemptSucceeded", "StepFailed", "RunFailed"]
    assert game.state.failure is not None
    assert "no key 'score'; it has scor" in game.state.failure.message


def test_a_failed_step_fails_the_run_when_nothing_is_active_any_more() -> None:
    game = Game(graph(function("a"), function("b"), function("c", "a")))
    game.schedule()

    assert game.fail("a") == ["AttemptFailed", "StepFailed"]
    assert game.state.status == "running"
    assert game.succeed("b") == ["AttemptSucceeded", "RunFailed"]
    assert (game.state.status, game.status("c")) == ("failed", "stopped")


def test_a_failed_attempt_is_retried_after_its_delay() -> None:
    game = Game(graph(function("a", retry=Retry(max_attempts=3, delay_seconds=10))))
    game.schedule()

    assert game.fail("a") == ["AttemptFailed", "RetryScheduled"]
    assert ready(game.state, game.now) == ()
    assert next_timer(game.state) is not None
    game.wait(11)
    assert game.schedule() == ["StepScheduled"]
    assert game.fail("a") == ["AttemptFailed", "RetryScheduled"]
    game.wait(17)
    assert ready(game.state, game.now) == ()  # twice the delay, give or take a tenth
    game.wait(5)
    game.schedule()
    assert game.fail("a") == ["AttemptFailed", "StepFailed", "RunFailed"]


def test_an_error_class_that_is_never_retried_ends_the_step() -> None:
    game = Game(graph(function("a", retry=Retry(max_attempts=3, never_after=("ValueError",)))))
    game.schedule()

    assert game.fail("a", failure(error_class="ValueError")) == ["AttemptFailed", "StepFailed", "RunFailed"]


def test_losses_of_executors_do_not_use_up_the_authors_attempts() -> None:
    game = Game(graph(function("a")))
    for _ in range(3):
        game.schedule()
        assert game.play(LoseAttempts("ex")) == ["AttemptFailed", "RetryScheduled"]
        game.wait(60)
    game.schedule()

    assert game.succeed("a") == ["AttemptSucceeded", "RunCompleted"]


def test_a_loss_touches_only_what_that_executor_held() -> None:
    game = Game(graph(function("a"), function("b")))
    game.schedule("ex")

    assert game.play(LoseAttempts("other")) == []


def test_what_has_ended_on_a_lost_executor_is_not_lost_with_it() -> None:
    game = Game(graph(function("a"), function("b")))
    game.schedule("ex")
    ended = AttemptKey(run_id=game.state.created.run_id, step="a", attempt=1)

    assert game.play(LoseAttempts("ex", kept=frozenset({ended}))) == ["AttemptFailed", "RetryScheduled"]
    assert (game.state.step("a").status, game.state.step("b").status) == ("scheduled", "retrying")


def test_a_stop_with_nothing_active_stops_at_once() -> None:
    game = Game(graph(function("a")))

    assert game.play(RequestStop("enough")) == ["RunStopRequested", "RunStopped"]
    assert game.status("a") == "stopped"


def test_a_stopping_run_waits_for_its_attempts() -> None:
    game = Game(graph(function("a", timeouts=Timeouts(grace_seconds=1)), function("b", "a")))
    game.schedule()

    assert game.play(RequestStop()) == ["RunStopRequested"]
    assert game.play(RequestStop()) == []
    assert game.fail("a", failure("stopped")) == ["AttemptFailed", "StepStopped", "RunStopped"]


def test_a_step_that_finishes_while_its_run_is_stopping_keeps_its_result() -> None:
    game = Game(graph(function("a"), function("b", "a")))
    game.schedule()
    game.play(RequestStop())

    assert game.succeed("a") == ["AttemptSucceeded", "RunStopped"]
    assert (game.status("a"), game.status("b")) == ("completed", "stopped")


def test_stopping_a_run_that_has_ended_is_refused() -> None:
    game = Game(graph(function("a")))
    game.play(RequestStop())
    before = game.state

    with pytest.raises(Refused, match="stopped already"):
        game.play(RequestStop())
    assert game.state is before


def test_a_report_that_comes_twice_changes_nothing() -> None:
    game = Game(graph(function("a"), function("b", "a")))
    game.schedule()
    game.succeed("a")

    assert game.succeed("a") == []
    assert game.play(ReceiveReport(report("a", 1, "started"))) == []


def test_a_report_of_an_attempt_that_was_given_up_is_recorded_and_ignored_once() -> None:
    game = Game(graph(function("a")))
    game.schedule("ex")
    game.play(LoseAttempts("ex"))
    late = ReceiveReport(report("a", 1, "succeeded"))

    assert game.play(late) == ["ReportIgnored"]
    assert game.play(late) == []


def test_a_report_from_the_wrong_executor_is_ignored() -> None:
    game = Game(graph(function("a")))
    game.schedule("ex")

    assert game.play(ReceiveReport(report("a", 1, "succeeded", session="thief"))) == ["ReportIgnored"]
    assert game.status("a") == "scheduled"


def test_a_strangers_report_does_not_hide_that_of_the_right_executor() -> None:
    game = Game(graph(function("a")))
    game.schedule("ex")
    game.play(ReceiveReport(report("a", 1, "failed", session="thief")))

    assert game.fail("a") == ["AttemptFailed", "StepFailed", "RunFailed"]


def test_a_report_of_an_attempt_that_never_was_is_refused() -> None:
    game = Game(graph(function("a")))

    with pytest.raises(Refused, match="never scheduled"):
        game.play(ReceiveReport(report("a", 1, "started")))


def test_a_success_whose_start_was_never_heard_of_says_by_itself_when_that_was() -> None:
    game = Game(graph(function("a")))
    game.schedule()
    game.wait(3)

    done = ReceiveReport(report("a", 1, "succeeded", seconds=2.0))
    assert game.play(done) == ["AttemptSucceeded", "RunCompleted"]
    assert game.play(ReceiveReport(report("a", 1, "started"))) == []

    attempt = game.state.step("a").attempts[-1]
    assert attempt.started_at is not None
    assert attempt.ended_at is not None
    assert (attempt.ended_at - attempt.started_at).total_seconds() == 2.0
    assert game.state.step("a").started_at == attempt.started_at


@pytest.mark.parametrize(("seconds", "events"), [(0.5, ["AttemptStarted"]), (0.0, [])])
def test_a_failure_records_a_start_only_where_a_process_was(seconds: float, events: list[str]) -> None:
    game = Game(graph(function("a")))
    game.schedule()
    broken = report("a", 1, "failed", failure=failure(), seconds=seconds)

    assert game.play(ReceiveReport(broken)) == [*events, "AttemptFailed", "StepFailed", "RunFailed"]


def test_folding_the_history_gives_the_live_state() -> None:
    game = Game(graph(function("a"), function("b", "a")))
    game.schedule()
    game.succeed("a")
    game.schedule()
    game.fail("b")

    assert fold(game.history) == game.state
