"""Which partition a run belongs to, and which id a request gets: for ever the same."""

from __future__ import annotations

from foldline_scheduler.partitions import PARTITIONS, partition_of
from foldline_scheduler.streams import mint_run_id


def test_a_run_id_hashes_to_the_same_partition_for_ever() -> None:
    assert partition_of("0192f0c4-0000-7000-8000-000000000001") == partition_of(
        "0192f0c4-0000-7000-8000-000000000001"
    )
    assert {partition_of(str(number)) for number in range(1000)} == set(range(PARTITIONS))


def test_the_same_request_gets_the_same_run_id() -> None:
    assert mint_run_id("w", "r1") == mint_run_id("w", "r1")
    assert mint_run_id("w", "r1") != mint_run_id("other", "r1")
    assert mint_run_id("w", "") != mint_run_id("w", "")
