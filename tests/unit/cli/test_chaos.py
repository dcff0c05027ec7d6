"""Chaos is planned by seed, and its checker sees what must not be."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest
from tests.unit.domain.graphs import RUN, Game, function, graph, output

from foldline.cli.chaos import checker, plan, workload
from foldline.domain import run_events as ev
from foldline.domain.run_events import RunEvent
from foldline.eventstore import chain, facts
from foldline.eventstore.port import NO_STREAM, Position, Recorded

PROGRAMS = ["scheduler", "scheduler-2", "executor"]
RESULT = 42
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
    result: int = RESULT,
    witnessed: tuple[str, ...] = (f"{RUN}:a:1",),
    holds: bool = True,
) -> list[str]:
    found = checker.check({RUN: history}, {RUN: result}, witnessed, lambda _: holds)
    return [one.rule for one in found]


def test_a_history_as_it_should_be_has_no_finding() -> None:
    assert rules(recorded(played())) == []


def test_what_must_not_be_is_found_and_named() -> None:
    whole = recorded(played())

    assert rules([]) == ["LOST"]
    assert rules(whole, result=1) == ["WRONG_RESULT"]
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


@pytest.mark.parametrize("seed", range(5))
def test_the_same_seed_gives_the_same_plan(seed: int) -> None:
    assert plan.make(seed, 50, PROGRAMS) == plan.make(seed, 50, PROGRAMS)
    assert plan.make(seed, 50, PROGRAMS) != plan.make(seed + 1, 50, PROGRAMS)
    assert {fault.kind for fault in plan.make(seed, 200, PROGRAMS)} == set(plan.KINDS)
    assert workload.make(seed, "/w") == workload.make(seed, "/w")
