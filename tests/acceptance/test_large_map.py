"""A map of a hundred thousand items on the whole platform, with real processes: no service grows with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.acceptance.installation import WORKFLOWS, Installation, installed
from tests.memory import Peak

WATCHED = ("scheduler", "recorder", "registry", "gateway", "executor")
GROWTH_MIB = 16
"""What a service may take at most for 100,000 items beyond what it has after 40,000; a kibibyte kept for each
of 60,000 would be 58 MiB. By then the caches are full, of which the recorder's is the largest."""
CACHES_MIB = {"recorder": 112}
"""The same between 10,000 and 40,000, where it is more than 32."""


def play(platform: Installation, items: int) -> dict[str, int]:
    """Run the map to its end; the MiB that each service took then."""
    run_id = platform.start("mapped", f"count={items}")
    watched = platform.call("watch", run_id, timeout=3000)

    assert watched.code == 0, watched.err
    record = platform.ask("show", run_id)
    steps = {step["name"]: step for step in record["steps"]}
    assert record["run"]["outputs"]["total"]["value"] == items * (items - 1)
    assert steps["double"]["children"]["succeeded"] == items
    return {name: process(platform, name).memory_info().rss >> 20 for name in WATCHED}


def process(platform: Installation, name: str) -> psutil.Process:
    return psutil.Process(platform.process(name)["pid"])


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_map_of_a_hundred_thousand_items_takes_no_more_memory_than_a_smaller_one(
    tmp_path: Path, record_property: Any
) -> None:
    with installed(tmp_path / "home", "--slots", "8") as platform:
        platform.release(WORKFLOWS / "mapped.py")
        few, some = play(platform, 10_000), play(platform, 40_000)
        peaks = {name: Peak(process(platform, name).pid) for name in WATCHED}

        play(platform, 100_000)

        seen = {name: (few[name], some[name], peak.growth >> 20) for name, peak in peaks.items()}
        record_property("MiB after 10,000 and 40,000 items, and growth for 100,000", str(seen))
        for name, (after_few, after_some, growth) in seen.items():
            assert after_some - after_few <= CACHES_MIB.get(name, 32), seen
            assert growth <= GROWTH_MIB, seen
