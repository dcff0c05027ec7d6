"""The choice of an executor."""

from __future__ import annotations

from typing import Any

from foldline.domain.work import AttemptKey, Heartbeat
from foldline_scheduler.executors import Executors
from foldline_scheduler.partitions import PARTITIONS, partition_of
from foldline_scheduler.policy import Candidate, choose
from foldline_scheduler.streams import mint_run_id


def test_the_executor_with_most_room_gets_the_attempt() -> None:
    candidates = [Candidate("a", "local", "default", 1), Candidate("b", "local", "default", 3)]

    assert choose(candidates, region="local", pool="") == "b"


def test_ties_go_to_the_smallest_session() -> None:
    candidates = [Candidate("b", "local", "default", 1), Candidate("a", "local", "default", 1)]

    assert choose(candidates, region="local", pool="default") == "a"


def test_an_executor_of_another_region_or_pool_gets_nothing() -> None:
    candidates = [Candidate("a", "moon", "default", 5), Candidate("b", "local", "gpu", 5)]

    assert choose(candidates, region="local", pool="") is None


def test_a_full_executor_gets_nothing() -> None:
    assert choose([Candidate("a", "local", "default", 0)], region="local", pool="") is None


def beat(**changes: Any) -> Heartbeat:
    fields = {"session": "s1", "name": "n", "region": "local", "pool": "default", "slots": 2}
    return Heartbeat(**{**fields, **changes})


def test_a_reserved_slot_is_taken_until_it_is_released() -> None:
    executors = Executors()
    executors.hear(beat(slots=1), now=0.0)
    key = AttemptKey(run_id="r", step="a", attempt=1)

    executors.reserve("s1", key)
    assert executors.choose(region="local", pool="") is None
    executors.release("s1", key)
    assert executors.choose(region="local", pool="") == "s1"


def test_an_attempt_that_a_heartbeat_shows_takes_its_slot_once() -> None:
    executors = Executors()
    key = AttemptKey(run_id="r", step="a", attempt=1)
    executors.hear(beat(), now=0.0)
    executors.reserve("s1", key)

    executors.hear(beat(held=(key,)), now=1.0)

    assert executors.choose(region="local", pool="") == "s1"
    executors.release("s1", key)
    assert executors.choose(region="local", pool="") == "s1"


def test_a_restarted_executor_replaces_its_old_session() -> None:
    executors = Executors()
    executors.hear(beat(), now=0.0)

    executors.hear(beat(session="s2", replaces="s1"), now=1.0)

    assert (executors.is_here("s1"), executors.is_here("s2")) == (False, True)


def test_a_draining_executor_gets_nothing() -> None:
    executors = Executors()
    executors.hear(beat(draining=True), now=0.0)

    assert executors.choose(region="local", pool="") is None


def test_silent_sessions_are_named() -> None:
    executors = Executors()
    executors.hear(beat(), now=0.0)
    executors.hear(beat(session="s2"), now=9.0)

    assert executors.silent(before=5.0) == ["s1"]


def test_a_run_id_hashes_to_the_same_partition_for_ever() -> None:
    assert partition_of("0192f0c4-0000-7000-8000-000000000001") == partition_of(
        "0192f0c4-0000-7000-8000-000000000001"
    )
    assert {partition_of(str(number)) for number in range(1000)} == set(range(PARTITIONS))


def test_the_same_request_gets_the_same_run_id() -> None:
    assert mint_run_id("w", "r1") == mint_run_id("w", "r1")
    assert mint_run_id("w", "r1") != mint_run_id("other", "r1")
    assert mint_run_id("w", "") != mint_run_id("w", "")
