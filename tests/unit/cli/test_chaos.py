"""Chaos is planned by seed, and its checker sees what must not be."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.domain.graphs import NOW, RUN, Game, artifact, failure, function, graph, output

from foldline.cli.chaos import checker, plan, workload
from foldline.cli.chaos.checker import Expected
from foldline.cli.chaos.deaths import died
from foldline.cli.chaos.families import check_families
from foldline.cli.stack.home import Home
from foldline.domain import run_events as ev
from foldline.domain.artifacts import Artifact
from foldline.domain.commands import RetrySteps
from foldline.domain.relations import Reuse
from foldline.domain.run_events import RunEvent
from foldline.eventstore import chain, facts
from foldline.eventstore.port import NO_STREAM, Position, Recorded

PROGRAMS = ["scheduler", "scheduler-2", "executor"]
WAYS = [("scheduler", "nats"), ("scheduler", "postgres"), ("executor", "nats")]
RESULT = 42
COMPLETED = Expected("completed", RESULT)
History = list[tuple[RunEvent, datetime]]


def played() -> History:
    """A run of one step."""
    game = Game(graph(function("a"), outputs={"result": output("a")}))
    game.schedule()
    game.succeed("a", RESULT)
    return game.history


def recorded(history: History) -> list[Recorded]:
    """As the ledger would have it."""
    events = [facts.new_events([event], facts.Meta(actor="x"), at)[0] for event, at in history]
    heads = chain.link_all(f"run-{RUN}", NO_STREAM, events)
    return [
        Recorded(
            position=Position(1, head.version),
            stream=f"run-{RUN}",
            version=head.version,
            id=event.id,
            type=event.type,
            time=event.time,
            payload=event.payload,
            meta=event.meta,
            hash=head.hash,
        )
        for event, head in zip(events, heads, strict=True)
    ]


def rules(
    history: list[Recorded],
    *,
    expected: Expected = COMPLETED,
    witnessed: tuple[str, ...] = (f"{RUN}:a:1",),
    holds: bool = True,
) -> list[str]:
    found = checker.check({RUN: history}, {RUN: expected}, witnessed, lambda _: holds)
    return [one.rule for one in found]


def test_a_history_as_it_should_be_has_no_finding() -> None:
    assert rules(recorded(played())) == []


def test_what_must_not_be_is_found_and_named() -> None:
    whole = recorded(played())

    assert rules([]) == ["LOST"]
    assert rules(whole, expected=Expected("completed", 1)) == ["WRONG_RESULT"]
    assert rules(whole, expected=Expected("stopped", RESULT)) == ["WRONG_END"]
    assert rules(whole, witnessed=()) == ["NEVER_CALLED"]
    assert rules(whole, witnessed=(f"{RUN}:a:1", f"{RUN}:a:1:again")) == ["STARTED_TWICE"]
    assert rules(whole, holds=False) == ["NOT_IN_STORE"]
    assert "STUCK" in rules(whole[:-1])
    assert "CHAIN" in rules([*whole[:2], *whole[3:]])


def test_a_second_end_of_an_attempt_is_found() -> None:
    history = played()
    end = next(number for number, (event, _) in enumerate(history) if isinstance(event, ev.AttemptSucceeded))

    found = rules(recorded([*history[: end + 1], history[end], *history[end + 1 :]]))

    assert "ILLEGAL_HISTORY" in found


def test_an_event_that_was_edited_is_found() -> None:
    whole = recorded(played())
    whole[1] = msgspec.structs.replace(whole[1], payload=whole[1].payload.replace('"ex"', '"ey"'))

    assert "CHAIN" in rules(whole)


@pytest.mark.parametrize("told", [ev.AttemptStarted, ev.AttemptSucceeded])
def test_an_attempt_that_another_session_carried_out_is_found(
    told: type[ev.AttemptStarted | ev.AttemptSucceeded],
) -> None:
    history = [
        (replace(event, executor="other") if isinstance(event, told) else event, at) for event, at in played()
    ]

    assert "NO_VALID_FENCE" in rules(recorded(history))


def test_an_unsafe_step_that_was_called_again_unasked_is_found() -> None:
    game = Game(graph(function("a", effects="unsafe"), outputs={"result": output("a")}))
    game.schedule()
    game.fail("a", failure("lost"))
    assert game.status("a") == "held"
    game.play(RetrySteps(("a",)))
    game.schedule()
    game.succeed("a", RESULT)
    whole, calls = recorded(game.history), tuple(f"{RUN}:a:{attempt}" for attempt in (1, 2))

    assert rules(whole, witnessed=calls) == []
    assert rules(whole, witnessed=(*calls, f"{RUN}:a:3")) == ["UNSAFE_AGAIN"]


def test_the_end_of_a_run_inside_a_step_must_be_as_it_was_taken_in() -> None:
    child = f"{RUN}.m.1.0"
    wanted: list[RunEvent] = [
        ev.ChildStarted(step="m", attempt=1),
        ev.ChildEnded(step="m", attempt=1, status="completed"),
    ]

    def rules_of(history: list[RunEvent], inner: list[RunEvent] | None) -> list[str]:
        histories = {RUN: history} | ({} if inner is None else {child: inner})
        return [one.rule for one in check_families(histories)]

    assert rules_of(wanted, [ev.RunCompleted()]) == []
    assert rules_of(wanted, [ev.RunStopped()]) == ["CHILD_DIFFERS"]
    assert rules_of([wanted[0], *wanted], [ev.RunCompleted()]) == ["WANTED_TWICE"]
    assert rules_of([*wanted, wanted[1]], [ev.RunCompleted()]) == ["TAKEN_IN_TWICE"]
    assert rules_of(wanted[:1], None) == ["LOST"]


def test_what_was_taken_over_must_have_been_given() -> None:
    given = {"output": artifact(RESULT)}
    source = [ev.AttemptSucceeded(step="a", attempt=1, outputs=given)]

    def rules_of(outputs: dict[str, Artifact]) -> list[str]:
        taken = ev.StepReused(step="b", reuse=Reuse(run_id=RUN, step="a", attempt=1, outputs=outputs))
        return [one.rule for one in check_families({RUN: source, "other": [taken]})]

    assert rules_of(given) == []
    assert rules_of({"output": artifact(1)}) == ["REUSED_WHAT_IS_NOT"]


@pytest.mark.parametrize("seed", range(5))
def test_the_same_seed_gives_the_same_plan(seed: int) -> None:
    made = plan.make(seed, 300, PROGRAMS, WAYS)

    assert made == plan.make(seed, 300, PROGRAMS, WAYS)
    assert made != plan.make(seed + 1, 300, PROGRAMS, WAYS)
    assert {fault.kind for fault in made} == set(plan.KINDS)
    assert {fault.event for fault in made} == set(plan.BOUNDARIES)
    assert {(one.target, one.server) for one in made if one.server} == set(WAYS)
    assert not [one for one in plan.make(seed, 300, PROGRAMS, []) if one.kind == "cut-off"]
    assert workload.make(seed, "/w") == workload.make(seed, "/w")


def test_a_service_that_ended_by_an_error_after_it_had_served_is_found(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create()

    def say(*events: str, exception: str = "") -> None:
        with home.log("scheduler").open("a") as log:
            for event in events:
                line = {"event": event, "timestamp": "2026-01-02T03:04:05Z", "exception": exception}
                log.write(f"{json.dumps(line)}\n")

    def problems(since: datetime = NOW) -> list[str]:
        return [one.problem for one in died(home, ["scheduler", "recorder"], since)]

    say("process_started", "server_started", "process_stopped")
    say("process_started", "process_failed", exception="no database at the start")
    assert problems() == []
    say("process_started", "server_started", "process_failed", exception="  | ValueError: why\n  +-----")
    assert problems() == ["scheduler: ValueError: why"]
    assert problems(NOW + timedelta(seconds=1)) == []
