"""What a failed attempt leaves, and who gets it."""

from __future__ import annotations

from msgspec import UNSET
from tests.unit.domain.graphs import Game, artifact, failure, function, graph, report

from foldline.domain.assignments import work_for
from foldline.domain.commands import ReceiveReport
from foldline.domain.spec import Retry


def game(attempts: int = 3) -> Game:
    game = Game(graph(function("train", retry=Retry(max_attempts=attempts))))
    game.schedule()
    return game


def test_the_next_attempt_gets_the_newest_checkpoint() -> None:
    run = game()
    run.play(ReceiveReport(report("train", 1, "progressed", checkpoint=artifact(1))))
    run.play(ReceiveReport(report("train", 1, "progressed", checkpoint=artifact(2), fraction=0.5)))
    run.fail("train")
    run.schedule()

    assert work_for(run.state, "train").checkpoint == artifact(2)


def test_a_first_attempt_gets_none() -> None:
    assert work_for(game().state, "train").checkpoint is UNSET


def test_an_attempt_that_left_none_passes_on_what_it_got() -> None:
    run = game()
    run.play(ReceiveReport(report("train", 1, "progressed", checkpoint=artifact(1))))
    run.fail("train")
    run.schedule()
    run.fail("train")
    run.schedule()

    assert work_for(run.state, "train").checkpoint == artifact(1)


def test_a_checkpoint_that_only_the_end_tells_of_is_recorded_before_it() -> None:
    run = game()

    events = run.play(
        ReceiveReport(report("train", 1, "failed", failure=failure(), seconds=1, checkpoint=artifact(1)))
    )
    run.schedule()

    assert events[:3] == ["AttemptStarted", "AttemptProgressed", "AttemptFailed"]
    assert work_for(run.state, "train").checkpoint == artifact(1)


def test_a_checkpoint_that_is_known_is_not_recorded_again() -> None:
    run = game()
    run.play(ReceiveReport(report("train", 1, "progressed", checkpoint=artifact(1))))

    events = run.play(ReceiveReport(report("train", 1, "failed", failure=failure(), checkpoint=artifact(1))))

    assert "AttemptProgressed" not in events
