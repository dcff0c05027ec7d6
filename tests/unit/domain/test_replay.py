"""Replay: earlier states, and where two histories part."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.domain.graphs import Game, function, graph

from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.evolve import fold
from foldline.domain.replay import Divergence, first_divergence, fold_until
from foldline.domain.run_events import AttemptStarted, RunEvent, StepScheduled


def played() -> Game:
    """A finished run of two steps."""
    game = Game(graph(function("a"), function("b", "a")))
    game.schedule()
    game.succeed("a", 1)
    game.schedule()
    game.succeed("b", 2)
    return game


def test_every_version_is_the_fold_of_the_events_up_to_it() -> None:
    history = played().history

    for version in range(1, len(history) + 1):
        assert fold_until(history, version) == fold(history[:version])
        assert fold_until(history, version).version == version


@given(st.data())
def test_a_fold_can_go_on_from_any_earlier_state(data: st.DataObject) -> None:
    history = played().history
    first = data.draw(st.integers(1, len(history)))
    second = data.draw(st.integers(first, len(history)))

    state = fold_until(history, first)

    assert fold_until(history[first:], second, state) == fold(history[:second])


def test_nothing_behind_the_version_is_even_looked_at() -> None:
    history = played().history

    def endless() -> object:
        yield from history[:3]
        raise AssertionError("read too far")

    assert fold_until(endless(), 3).version == 3  # type: ignore[arg-type]


@pytest.mark.parametrize("version", [-1, 0, 9])
def test_a_version_that_does_not_exist_is_refused_naming_those_there_are(version: int) -> None:
    history = played().history
    assert len(history) == 8

    with pytest.raises(FoldlineError, match=f"no version {version}: ") as refused:
        fold_until(history, version)

    assert refused.value.kind is Kind.OUT_OF_RANGE


def test_a_state_cannot_be_folded_backwards() -> None:
    history = played().history

    with pytest.raises(FoldlineError, match="no version 1: this history begins with version 2"):
        fold_until([], 1, fold_until(history, 2))


def test_equal_histories_do_not_diverge() -> None:
    events = [event for event, _ in played().history]

    assert first_divergence(events, list(events)) is None


def test_the_first_different_event_is_named() -> None:
    events = [event for event, _ in played().history]
    other = list(events)
    other[1] = StepScheduled(step="a", attempt=1, executor="another")

    assert first_divergence(events, other) == Divergence(2, events[1], other[1])


def test_a_history_that_stops_early_diverges_where_it_stops() -> None:
    events = [event for event, _ in played().history]

    assert first_divergence(events, events[:4]) == Divergence(5, events[4], None)
    assert first_divergence([], events[:1]) == Divergence(1, None, events[0])


def test_what_counts_as_the_same_can_be_chosen() -> None:
    events = [event for event, _ in played().history]
    other = [
        replace(event, executor="another") if isinstance(event, StepScheduled) else event for event in events
    ]

    def whoever(one: RunEvent, two: RunEvent) -> bool:
        return _anonymous(one) == _anonymous(two)

    assert first_divergence(events, other) is not None
    assert first_divergence(events, other, is_same=whoever) is None


def _anonymous(event: RunEvent) -> RunEvent:
    return replace(event, executor="") if isinstance(event, StepScheduled | AttemptStarted) else event
