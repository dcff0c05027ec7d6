"""Declared caching: every mode with everything that may be found."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.domain.test_forms import Lab, call, graph, map_step
from tests.unit.domain.test_recall import open_world, play

from foldline.domain.artifacts import inline
from foldline.domain.caching import (
    Known,
    Nothing,
    UnderWay,
    Wait,
    asks_behind,
    behind,
    claims,
    decide_on,
    moves,
    offers,
)
from foldline.domain.commands import PauseRun, Recall, RecallSteps
from foldline.domain.keys import key_of
from foldline.domain.relations import Origin, Reuse
from foldline.domain.run import RunState
from foldline.domain.spec import Binding, Step
from foldline.testing.world import World

REUSE = Reuse(run_id="other", step="b", attempt=1, outputs={"output": inline("b")})
UNDER_WAY = UnderWay("other", "b")


def cached(step: Step | None = None, **changes: Any) -> Step:
    return replace(step or call("a"), cache=True, **changes)


def asking(mode: str = "", step: Step | None = None) -> RunState:
    return open_world(graph(step or cached()), cache=mode).state


@pytest.mark.parametrize(
    ("mode", "known", "expected"),
    [
        ("", REUSE, "take"),
        ("", UNDER_WAY, "wait"),
        ("", Nothing(), "run"),
        ("read_only", REUSE, "take"),
        ("read_only", UNDER_WAY, "wait"),
        ("read_only", Nothing(), "run"),
        ("refresh", REUSE, "run"),
        ("refresh", UNDER_WAY, "run"),
        ("off", REUSE, "run"),
        ("off", UNDER_WAY, "run"),
    ],
)
def test_a_step_takes_over_waits_or_runs_as_its_run_says(mode: str, known: Known, expected: str) -> None:
    answer = decide_on(asking(mode), "a", "key", known)

    got = "wait" if isinstance(answer, Wait) else "take" if answer.reuse else "run"
    assert got == expected
    assert answer.reason


def test_a_step_that_does_not_declare_it_is_not_cached() -> None:
    answer = decide_on(asking(step=call("a")), "a", "key", REUSE)

    assert not isinstance(answer, Wait)
    assert (bool(answer.reuse), answer.reason) == (False, "the step is not cached")


def test_a_step_does_not_wait_for_itself() -> None:
    answer = decide_on(asking(), "a", "key", UnderWay("run", "a"))

    assert not isinstance(answer, Wait)


@pytest.mark.parametrize(
    ("mode", "expected"), [("", True), ("refresh", True), ("read_only", False), ("off", False)]
)
def test_what_a_run_may_not_write_it_does_not_offer_and_nobody_waits_for(mode: str, expected: bool) -> None:
    world = play(graph(cached()), cache=mode)

    assert (claims(world.state, "a"), offers(world.state, "a")) == (expected, expected)


def test_what_a_step_took_over_is_not_offered_as_its_own() -> None:
    world = open_world(graph(cached()))
    answer = decide_on(world.state, "a", key_of(world.state, "a"), REUSE)
    assert not isinstance(answer, Wait)

    world.command(RecallSteps((answer,)))

    assert world.state.step("a").status == "completed"
    assert not offers(world.state, "a")


def test_a_map_with_failed_items_is_not_offered() -> None:
    lab = Lab()
    lab.failing = [2]
    step = cached(map_step(Binding(value=[1, 2]), tolerated=1))

    assert not offers(play(graph(step), lab).state, "each")
    assert offers(play(graph(step)).state, "each")


def test_handlers_are_neither_taken_over_nor_offered() -> None:
    world = play(graph(call("b"), cached(handles="exit")))

    assert world.state.step("a").attempts
    assert not offers(world.state, "a")


def test_nobody_waits_for_what_does_not_move() -> None:
    world = open_world(graph(cached()))
    assert moves(world.state, "a")

    world.command(PauseRun())

    assert not moves(world.state, "a")
    assert not moves(play(graph(cached())).state, "a")
    assert not moves(None, "a")


@pytest.mark.parametrize(
    ("mode", "answer", "expected"),
    [
        ("", {}, True),
        ("read_only", {}, True),
        ("refresh", {}, True),  # to claim the key; it takes nothing over (`decide_on`)
        ("off", {}, False),
        ("", {"reuse": REUSE}, False),
        ("", {"is_unsafe": True}, False),
        ("", {"key": ""}, False),
    ],
)
def test_a_step_of_a_fork_asks_the_cache_where_its_lineage_knows_nothing(
    mode: str, answer: dict[str, Any], expected: bool
) -> None:
    origin = Origin(kind="fork", run_id="before")
    world = World(graph(cached()), behave=Lab(), origin=origin, cache=mode)
    known = Recall(**{"step": "a", "key": "key", "reason": "nothing", **answer})

    assert asks_behind(world.state, "a", known) is expected


def test_a_step_of_a_fork_that_does_not_declare_it_does_not_ask_the_cache() -> None:
    world = World(graph(call("a")), behave=Lab(), origin=Origin(kind="fork", run_id="before"))

    assert not asks_behind(world.state, "a", Recall(step="a", key="key", reason="nothing"))


def test_what_is_to_run_again_does_not_ask_the_cache() -> None:
    origin = Origin(kind="rerun", run_id="before", again=("*",))
    world = World(graph(cached()), behave=Lab(), origin=origin)

    assert not asks_behind(world.state, "a", Recall(step="a", key="key", reason="asked to run again"))


def test_where_the_cache_has_nothing_the_lineage_says_why_a_step_runs() -> None:
    answer = Recall(step="a", key="key", reason="x is 2 instead of 1")
    nothing = Recall(step="a", key="key", reason="no equal attempt is known")
    kept = replace(nothing, reuse=REUSE)

    assert behind(answer, nothing) == answer
    assert behind(answer, kept) == kept
