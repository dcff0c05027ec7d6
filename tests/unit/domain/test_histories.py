"""What holds of every history that a run can have."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import assume, given
from msgspec import UNSET
from tests.unit.domain.comparing import compare
from tests.unit.domain.invariants import check_all, replayed
from tests.unit.domain.laws import Laws
from tests.unit.domain.playing import Play
from tests.unit.domain.reference import RunMeans, mean
from tests.unit.domain.storms import Storm
from tests.unit.domain.strategies import Wishes, graphs
from tests.unit.domain.test_reference import LAWS, LUCK, started

from foldline.domain.commands import RetrySteps
from foldline.domain.evolve import fold
from foldline.domain.replay import fold_until
from foldline.domain.spec import Graph
from foldline.wire.events import decode, encode


@given(graphs(), LAWS, LUCK)
def test_no_run_gets_stuck_and_every_event_keeps_the_counters(
    declared: Graph, laws: Laws, luck: Random
) -> None:
    play = Storm(declared, laws, luck, accidents=25, parameters=started(declared))

    play.play()

    check_all(play)


@given(graphs(), LAWS, LUCK)
def test_a_history_replays_to_the_same_states_at_every_version(
    declared: Graph, laws: Laws, luck: Random
) -> None:
    play = Storm(declared, laws, luck, accidents=25, parameters=started(declared))
    play.play()

    for history in play.world.histories.values():
        state = None
        for version in range(1, len(history) + 1):
            state = fold_until(iter(history[version - 1 :]), version, state)
            if version % 7 == 0:
                assert fold_until(iter(history), version) == state
        assert fold(history) == fold(history) == state


@given(graphs(), LAWS, LUCK)
def test_what_is_read_back_from_the_ledger_folds_to_the_same(
    declared: Graph, laws: Laws, luck: Random
) -> None:
    play = Storm(declared, laws, luck, accidents=25, parameters=started(declared))
    play.play()

    for run_id, history in play.world.histories.items():
        read = [(decode(*encode(event)), at) for event, at in history]
        assert read == history
        assert fold(read) == play.world.runs[run_id]  # type: ignore[arg-type]


ALL_MENDABLE = Wishes(has_held=False, has_handlers=False, has_tolerance=False, has_unsafe=False)
"""A run does not fail by what a person stopped, by a handler or by a tolerated item, and an unsafe step has
to be named: nobody retries these."""


@given(graphs(ALL_MENDABLE), LAWS, LUCK)
def test_a_run_whose_failures_were_mended_ends_as_if_they_had_never_been(
    declared: Graph, laws: Laws, luck: Random
) -> None:
    mended = laws._replace(is_mended=True)
    expected = mean(declared, mended, started(declared))
    assume("merge" not in reasons(expected))
    play = Play(declared, laws, luck, accidents=10, parameters=started(declared))
    play.play()

    play.laws = mended
    if play.tell("run", RetrySteps()) == "":
        play.play()
        play.tell("run", RetrySteps())  # what is behind it may have failed before, too
        play.play()

    compare(play, expected)
    assert max(called_again(play).values(), default=1) == 1
    for history in play.world.histories.values():
        replayed(history)


def reasons(means: RunMeans) -> set[str]:
    found = {step.why for step in means.steps.values()}
    return found.union(*(reasons(run) for step in means.steps.values() for run in step.runs))


def called_again(play: Play) -> Counter[tuple[str, str]]:
    """How often a step succeeded in its place, whatever attempt of the steps around it that was in."""
    return Counter((place(play, run_id), step) for run_id, step, _ in play.calls)


def place(play: Play, run_id: str) -> str:
    """The run without the numbers of attempts."""
    parent = play.world.runs[run_id].created.parent
    return run_id if parent is UNSET else f"{place(play, parent.run_id)}/{parent.step}/{parent.index}"
