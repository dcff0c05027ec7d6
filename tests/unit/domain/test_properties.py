"""Generated graphs and generated luck: what must hold for every run."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.domain.graphs import Game, condition, function, graph, guarded, output

from foldline.domain.commands import LoseAttempts, RequestStop
from foldline.domain.decide import Refused
from foldline.domain.evolve import fold
from foldline.domain.run import RunState, ready
from foldline.domain.spec import Graph, Retry, Step
from foldline.domain.transitions import FINAL_STEP
from foldline.domain.vector import Vector


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Steps take from any earlier ones; conditions ask an earlier output and guard later steps."""
    steps: list[Step] = []
    for place in range(draw(st.integers(1, 8))):
        functions = [step.name for step in steps if step.kind == "function"]
        conditions = [step.name for step in steps if step.kind == "condition"]
        if functions and draw(st.integers(0, 3)) == 0:
            left = output(draw(st.sampled_from(functions)))
            step = condition(f"s{place}", left, draw(st.sampled_from(["==", ">="])), draw(st.integers(0, 2)))
        else:
            needs: list[str] = []
            if functions:
                needs += draw(st.lists(st.sampled_from(functions), unique=True, max_size=2))
            retry = Retry(max_attempts=draw(st.integers(1, 2)))
            step = function(f"s{place}", *needs, retry=retry)
        if bool(conditions) and draw(st.booleans()):
            step = guarded(step, draw(st.sampled_from(conditions)), draw(st.booleans()))
        steps.append(step)
    return graph(*steps)


def play(game: Game, data: st.DataObject) -> None:
    """Do something legal, chosen by luck."""
    moves = ["schedule", "lose", "wait"]
    active = [step.name for step in game.state.steps if step.is_active]
    if active:
        moves += ["succeed", "succeed", "fail"]
    if game.state.version > 12:
        moves.append("stop")
    move = data.draw(st.sampled_from(moves))
    if move == "schedule":
        game.schedule(data.draw(st.sampled_from(["ex1", "ex"])))
    elif move == "lose":
        game.play(LoseAttempts("ex"))
    elif move == "wait":
        game.wait(400)
    elif move == "stop":
        game.play(RequestStop())
    elif game.state.step(active[0]).attempts[-1].executor != "ex":
        game.play(LoseAttempts("ex1"))
    elif move == "succeed":
        game.succeed(active[0], data.draw(st.integers(0, 2)))
    else:
        game.fail(active[0])


@given(graphs(), st.data())
@settings(max_examples=300, deadline=None)
def test_every_run_keeps_its_invariants_and_ends(declared: Graph, data: st.DataObject) -> None:
    game = Game(declared)
    for _ in range(30):
        if game.state.is_final:
            break
        play(game, data)
        check(game.state)
    finish(game)

    assert game.state.is_final
    check(game.state)
    assert fold(game.history) == game.state
    assert fold(game.history) == fold(game.history)


def finish(game: Game) -> None:
    """Let everything succeed from here on."""
    for _ in range(200):
        if game.state.is_final:
            return
        game.wait(400)
        game.schedule()
        for step in game.state.steps:
            if step.is_active and not game.state.is_final:
                if step.attempts[-1].executor == "ex":
                    game.succeed(step.name, 1)
                else:
                    game.play(LoseAttempts(step.attempts[-1].executor))


def check(state: RunState) -> None:
    steps = list(state.steps)
    assert state.active_steps == sum(step.is_active for step in steps)
    if not state.is_final:
        assert state.open_steps == sum(step.status not in FINAL_STEP for step in steps)
    for place, step in enumerate(steps):
        numbers = [attempt.number for attempt in step.attempts]
        assert numbers == list(range(1, len(numbers) + 1))
        assert all(attempt.ended_at is not None for attempt in step.attempts[:-1])
        upstream = [steps[other] for other in state.plan.needs[place]]
        if step.attempts:
            assert all(other.status in FINAL_STEP for other in upstream)
    if state.status == "completed":
        assert all(step.status in ("completed", "skipped") for step in steps)


@given(graphs())
@settings(max_examples=100, deadline=None)
def test_a_refusal_leaves_the_state_as_it_was(declared: Graph) -> None:
    game = Game(declared)
    finish(game)
    before, length = game.state, len(game.history)

    with pytest.raises(Refused, match="already"):
        game.play(RequestStop())
    assert (game.state, len(game.history)) == (before, length)
    assert ready(game.state, game.now) == ()


@given(st.lists(st.integers()), st.data())
def test_a_vector_is_a_tuple_with_a_cheap_set(items: list[int], data: st.DataObject) -> None:
    vector = Vector(items)
    model = list(items)
    for _ in range(5 if items else 0):
        place = data.draw(st.integers(0, len(items) - 1))
        vector, old = vector.set(place, place * 7), vector
        assert list(old) == model
        model[place] = place * 7

    assert list(vector) == model
    assert len(vector) == len(model)
    assert vector == Vector(model)
