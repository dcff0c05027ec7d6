"""A map of a hundred thousand items on the whole platform: real processes, and no part of it grows with the items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest
from msgspec import Struct
from tests.acceptance.installation import WORKFLOWS, Installation, installed
from tests.memory import Peak

WATCHED = ("scheduler", "recorder", "registry", "gateway", "executor")
GROWTH_BYTES = 48 << 20
"""What a service may need more at its peak for ten times the items. A kibibyte kept for each of the 90,000 more
would be 88 MiB."""


class Seen(Struct, frozen=True):
    """What a run came to, and how much resident memory (MiB) each process had at most while it ran, and after."""

    record: dict[str, Any]
    peaks: dict[str, int]
    after: dict[str, int]


def play(platform: Installation, items: int) -> Seen:
    processes = {name: psutil.Process(platform.process(name)["pid"]) for name in WATCHED}
    before = {name: one.memory_info().rss for name, one in processes.items()}
    peaks = {name: Peak(one.pid) for name, one in processes.items()}

    record = platform.run("mapped", f"count={items}", timeout=3000)

    return Seen(
        record,
        {name: (before[name] + peak.growth) >> 20 for name, peak in peaks.items()},
        {name: one.memory_info().rss >> 20 for name, one in processes.items()},
    )


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_map_of_a_hundred_thousand_items_takes_no_more_memory_than_one_of_ten_thousand(
    tmp_path: Path, record_property: Any
) -> None:
    with installed(tmp_path / "home") as platform:
        platform.release(WORKFLOWS / "mapped.py")

        few, many = play(platform, 10_000), play(platform, 100_000)

        for name, seen in (("10,000", few), ("100,000", many)):
            record_property(name, f"peak {seen.peaks}, after {seen.after} MiB")
        for items, seen in ((10_000, few), (100_000, many)):
            assert seen.record["run"]["status"] == "completed"
            assert seen.record["run"]["outputs"]["total"]["value"] == items * (items - 1)
        for name in WATCHED:
            assert many.peaks[name] - few.peaks[name] <= GROWTH_BYTES >> 20, (few.peaks, many.peaks)
        steps = {step["name"]: step for step in platform.ask("show", many.record["run"]["run_id"])["steps"]}
        assert steps["double"]["children"]["succeeded"] == 100_000
