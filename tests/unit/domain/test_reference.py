"""Whatever the order and the accidents, a run ends as the reference says that it must."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from tests.unit.domain.comparing import compare, once
from tests.unit.domain.laws import Laws
from tests.unit.domain.playing import Play
from tests.unit.domain.reference import mean
from tests.unit.domain.strategies import graphs

from foldline.domain.spec import Graph

LAWS = st.builds(Laws, seed=st.integers(0, 10_000), failing=st.sampled_from([0, 0, 10, 30]))
LUCK = st.integers(0, 10_000).map(Random)


def started(declared: Graph) -> dict[str, Any]:
    """The parameters of a run that somebody started without values."""
    return {
        one.name: one.default for one in declared.parameters if one.default is not UNSET and not one.delayed
    }


@given(graphs(), LAWS, LUCK)
def test_a_run_in_any_order_ends_as_its_declaration_means(declared: Graph, laws: Laws, luck: Random) -> None:
    play = Play(declared, laws, luck, parameters=started(declared))

    play.play()

    compare(play, mean(declared, laws, {}))
    once(play)


@given(graphs(), LAWS, LUCK)
def test_accidents_change_nothing_of_what_comes_out(declared: Graph, laws: Laws, luck: Random) -> None:
    play = Play(declared, laws, luck, parameters=started(declared), accidents=20)

    play.play()

    compare(play, mean(declared, laws, {}))
    once(play)
