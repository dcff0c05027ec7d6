"""A map of many items keeps its parent small and the scheduler's memory flat."""

from __future__ import annotations

import pytest
from tests.integration.scheduler.installation import Platform
from tests.integration.scheduler.large_maps import Seen, play

from foldline.domain.inner import OPEN_CHILDREN
from foldline.domain.lists import ITEMS_OF_A_CHILD

GROWTH_MIB = 12
"""Of the whole process between a tenth of the items and the last: what it does not give back of what came and
went. A kibibyte kept for each of 100,000 items would be eight times as much."""


def assert_lean(seen: Seen, own_events: int) -> None:
    """Two events for each child, and a few of the run's own; a child open at a time for each of few."""
    assert seen.children == seen.items // ITEMS_OF_A_CHILD
    assert seen.events == 2 * seen.children + own_events
    assert seen.open_at_most <= OPEN_CHILDREN + 2
    tenth, last = seen.resident[1][1], seen.resident[-1][1]
    assert last - tenth <= GROWTH_MIB, seen.resident


async def test_a_map_of_ten_thousand_items_keeps_its_parent_and_the_scheduler_small(
    platform: Platform,
) -> None:
    seen = await play(platform, 10_000)

    assert_lean(seen, own_events=7)
    assert seen.bytes < 300 * seen.children
    assert seen.largest < 1000


async def test_a_list_in_the_graph_is_told_of_once_however_many_children(platform: Platform) -> None:
    seen = await play(platform, 10_000, stored=False)

    assert_lean(seen, own_events=4)
    assert seen.bytes < 300 * seen.children + seen.largest


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_a_map_of_a_hundred_thousand_items_takes_no_more_memory(platform: Platform) -> None:
    few, many = await play(platform, 10_000), await play(platform, 100_000)

    assert_lean(many, own_events=7)
    assert many.bytes < 300 * many.children
    assert many.resident[-1][1] - few.resident[-1][1] <= 2 * GROWTH_MIB
