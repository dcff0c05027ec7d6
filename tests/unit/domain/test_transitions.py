"""The tables, walked whole: what is not in them raises and leaves the state as it was."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from msgspec.structs import replace
from tests.unit.domain.graphs import NOW, Game, failure, function, graph

from foldline.domain import run_events as ev
from foldline.domain.commands import LoseAttempts, PauseRun, RequestStop
from foldline.domain.evolve import _APPLY, IllegalTransition, evolve
from foldline.domain.relations import Reuse
from foldline.domain.run import Children, StepState
from foldline.domain.spec import Retry
from foldline.domain.transitions import FINAL_RUN, RUN, STEP

STEP_EVENTS: dict[str, Any] = {
    "StepScheduled": lambda n: ev.StepScheduled(step="a", attempt=n + 1, executor="ex"),
    "AttemptStarted": lambda n: ev.AttemptStarted(step="a", attempt=n, executor="ex"),
    "AttemptProgressed": lambda n: ev.AttemptProgressed(step="a", attempt=n, fraction=0.5),
    "AttemptSucceeded": lambda n: ev.AttemptSucceeded(step="a", attempt=n),
    "AttemptFailed": lambda n: ev.AttemptFailed(step="a", attempt=n, failure=failure()),
    "RetryScheduled": lambda n: ev.RetryScheduled(step="a", attempt=n + 1, at=NOW),
    "ConditionDecided": lambda n: ev.ConditionDecided(step="a"),
    "StepSkipped": lambda n: ev.StepSkipped(step="a", reason="guard"),
    "StepFailed": lambda n: ev.StepFailed(step="a", failure=failure()),
    "StepStopped": lambda n: ev.StepStopped(step="a"),
    "StepStopRequested": lambda n: ev.StepStopRequested(step="a"),
    "StepHeld": lambda n: ev.StepHeld(step="a", failure=failure()),
    "StepRetried": lambda n: ev.StepRetried(step="a"),
    "StepReused": lambda n: ev.StepReused(step="a", reuse=Reuse(run_id="r", step="a")),
    "ReuseDeclined": lambda n: ev.ReuseDeclined(step="a"),
    "StepExpanded": lambda n: ev.StepExpanded(step="a", attempt=n + 1),
    "ChildStarted": lambda n: ev.ChildStarted(step="a", attempt=n, index=1),
    "ChildEnded": lambda n: ev.ChildEnded(step="a", attempt=n, index=0, status="completed"),
    "ParametersRequested": lambda n: ev.ParametersRequested(step="a", parameters=("p",)),
    "WaitOpened": lambda n: ev.WaitOpened(step="a"),
    "WaitAnswered": lambda n: ev.WaitAnswered(step="a"),
    "WaitExpired": lambda n: ev.WaitExpired(step="a", action="fail"),
}
RUN_EVENTS: dict[str, Any] = {
    "RunPaused": ev.RunPaused(),
    "RunResumed": ev.RunResumed(),
    "RunStopRequested": ev.RunStopRequested(),
    "RunEnding": ev.RunEnding(outcome="completed"),
    "RunReopened": ev.RunReopened(),
    "RunCompleted": ev.RunCompleted(),
    "RunFailed": ev.RunFailed(step="a", failure=failure()),
    "RunStopped": ev.RunStopped(),
}


def in_step_status(status: str) -> Game:
    """A run of two steps whose step `a` has that status; `b` keeps the run open."""
    game = Game(graph(function("a", retry=Retry(max_attempts=2)), function("b")))
    script = {
        "waiting": [],
        "asking": ["ParametersRequested"],
        "awaiting": ["WaitOpened"],
        "scheduled": ["StepScheduled"],
        "running": ["StepScheduled", "AttemptStarted"],
        "stopping": ["StepScheduled", "StepStopRequested"],
        "retrying": ["StepScheduled", "AttemptFailed"],
        "held": ["StepHeld"],
        "completed": ["StepScheduled", "AttemptSucceeded"],
        "failed": ["StepFailed"],
        "skipped": ["StepSkipped"],
        "stopped": ["StepStopped"],
    }
    for name in script[status]:
        attempts = len(game.state.step("a").attempts)
        game.live = evolve(game.state, STEP_EVENTS[name](attempts), NOW)
    assert game.status("a") == status
    return game


def with_an_open_child(step: StepState) -> StepState:
    return replace(step, children=Children(started=1, open=(0,)))


@pytest.mark.parametrize("status", STEP)
@pytest.mark.parametrize("event", STEP_EVENTS)
def test_a_step_moves_exactly_as_its_table_says(status: str, event: str) -> None:
    game = in_step_status(status)
    attempts = len(game.state.step("a").attempts)
    before = game.state
    if event == "ChildEnded":
        before = replace(before, steps=before.steps.set(0, with_an_open_child(before.steps[0])))

    if event in STEP[status]:
        after = evolve(before, STEP_EVENTS[event](attempts), NOW)
        assert after.step("a").status == STEP[status][event]
        assert after.version == before.version + 1
    else:
        with pytest.raises(IllegalTransition):
            evolve(before, STEP_EVENTS[event](attempts), NOW)
        assert before.step("a").status == status


def in_run_status(status: str) -> Game:
    game = Game(graph(function("a"), function("bye", handles="exit")))
    if status == "created":
        return game
    game.schedule()
    if status == "paused":
        game.play(PauseRun())
    elif status == "stopping":
        game.play(RequestStop())
    elif status == "ending":
        game.succeed("a")
    elif status in FINAL_RUN:
        game = Game(graph(function("a")))
        game.schedule()
        if status == "completed":
            game.succeed("a")
        elif status == "failed":
            game.fail("a")
        else:
            game.play(RequestStop())
            game.play(LoseAttempts("ex"))
    assert game.state.status == status
    return game


@pytest.mark.parametrize("status", RUN)
@pytest.mark.parametrize("event", RUN_EVENTS)
def test_a_run_moves_exactly_as_its_table_says(status: str, event: str) -> None:
    before = in_run_status(status).state

    if event in RUN[status]:
        assert evolve(before, RUN_EVENTS[event], NOW).status == RUN[status][event]
    else:
        with pytest.raises(IllegalTransition):
            evolve(before, RUN_EVENTS[event], NOW)


@pytest.mark.parametrize("status", sorted(FINAL_RUN))
@pytest.mark.parametrize("event", STEP_EVENTS)
def test_nothing_moves_in_a_run_that_has_ended(status: str, event: str) -> None:
    before = in_run_status(status).state

    with pytest.raises(IllegalTransition):
        evolve(before, STEP_EVENTS[event](len(before.step("a").attempts)), NOW)


def test_the_tables_know_every_event() -> None:
    in_tables = {name for table in (STEP, RUN) for moves in table.values() for name in moves}
    outside = {"RunCreated", "ReportIgnored"}  # opens the stream; allowed in every status

    assert in_tables | outside == {event.__name__ for event in get_args(ev.RunEvent)}


def test_every_event_but_the_first_is_applied() -> None:
    assert {ev.RunCreated, *_APPLY} == set(get_args(ev.RunEvent))
