"""What a run offers to the queue: the difference to the offer before says the same as a whole new one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.domain.graphs import Game, function, graph
from tests.unit.domain.test_properties import graphs, play

from foldline.domain.run import RunState, Steps
from foldline.domain.spec import Graph
from foldline_scheduler.offers import offer_of


@given(graphs(), st.data())
@settings(max_examples=200, deadline=None)
def test_differences_add_up_to_the_whole_offer(declared: Graph, data: st.DataObject) -> None:
    game = Game(declared)
    before: RunState | None = None
    known: dict[str, int] = {}
    for _ in range(25):
        if data.draw(st.booleans()):  # several changes may lie between two offers
            offer = offer_of(game.state, game.now, before)
            if offer.changed is None:
                known.clear()
            else:
                known = {step: attempt for step, attempt in known.items() if step not in offer.changed}
            known |= {one.step: one.attempt for one in offer.steps}
            before = game.state
            assert known == {one.step: one.attempt for one in offer_of(game.state, game.now).steps}
        if game.state.is_final:
            break
        play(game, data)


@given(graphs(), st.data())
@settings(max_examples=100, deadline=None)
def test_the_marks_of_steps_are_those_of_a_fresh_look(declared: Graph, data: st.DataObject) -> None:
    game = Game(declared)
    for _ in range(25):
        fresh, steps = Steps(game.state.steps), game.state.steps
        assert (steps.free, steps.timed, steps.active) == (fresh.free, fresh.timed, fresh.active)
        if game.state.is_final:
            break
        play(game, data)


def test_an_offer_of_differences_leaves_out_what_has_not_changed() -> None:
    game = Game(graph(*(function(f"s{number}") for number in range(100))))
    game.schedule()
    before = game.state
    game.succeed("s7")

    offer = offer_of(game.state, game.now, before)

    assert offer.changed == frozenset({"s7"})
