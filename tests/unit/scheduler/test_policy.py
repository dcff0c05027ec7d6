"""Who runs next, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from tests.unit.scheduler.attempts import GIB, candidate, room, size, wanted

from foldline_scheduler.policy import Candidate, Usage, assign, explain
from foldline_scheduler.wanted import Wanted


def given(
    attempts: Iterable[Wanted],
    candidates: Sequence[Candidate],
    usage: Usage | None = None,
    weights: Mapping[str, float] | None = None,
) -> list[tuple[str, str]]:
    """Who got which session, in order."""
    decision = assign(attempts, candidates, usage or {}, weights or {})
    return [(one.wanted.key.run_id, one.session) for one in decision.assignments]


def why(
    attempt: Wanted, candidates: Sequence[Candidate], *others: Wanted, usage: Usage | None = None
) -> tuple[str, str]:
    reason = assign([attempt, *others], candidates, usage or {}, {}).reasons[attempt]
    return reason.reason, reason.message


# -- which executor --------------------------------------------------------------------------------


def test_the_executor_with_most_room_gets_the_attempt() -> None:
    assert given([wanted()], [candidate("a", room(1)), candidate("b", room(3))]) == [("r", "b")]


def test_ties_go_to_the_smallest_session() -> None:
    assert given([wanted()], [candidate("b", room(1)), candidate("a", room(1))]) == [("r", "a")]


def test_a_quick_executor_gets_some_more_than_it_has_room_for() -> None:
    quick, slow = candidate("quick", room(1), lead=2), candidate("slow", room(1))
    attempts = [wanted(f"r{number}", age=9 - number) for number in range(5)]

    assert [session for _, session in given(attempts, [quick, slow])] == ["quick", "slow", "quick", "quick"]


@pytest.mark.parametrize("demand", [{"size": size(2)}, {"is_unsafe": True}, {"image": True}])
def test_what_is_large_or_dear_to_lose_waits_for_room(demand: dict[str, Any]) -> None:
    quick = candidate("quick", room(0), room(1), lead=2, backends=("process", "container"))

    assert given([wanted(**demand)], [quick]) == []


def test_nobody_goes_before_a_large_one_that_an_executor_is_kept_for() -> None:
    quick = candidate("quick", room(1, cpu=1), room(2, cpu=2), lead=2)
    large = wanted("large", age=9, size=size(2))

    assert given([large, wanted("small")], [quick]) == []


def test_an_executor_of_another_region_or_pool_gets_nothing() -> None:
    elsewhere = [candidate("a", room(5), region="moon"), candidate("b", room(5), pool="gpu")]

    assert given([wanted()], elsewhere) == []


def test_an_attempt_without_graphics_leaves_executors_with_them_to_others() -> None:
    candidates = [candidate("a", room(9, gpu=4)), candidate("b", room(1))]

    assert given([wanted()], candidates) == [("r", "b")]


def test_small_graphics_attempts_go_where_they_leave_most_together() -> None:
    candidates = [candidate("a", room(9, gpu=8)), candidate("b", room(2, gpu=1))]

    assert given([wanted(size=size(gpu=1))], candidates) == [("r", "b")]


def test_an_executor_that_names_its_flavors_takes_no_others() -> None:
    candidates = [candidate("a", room(9), flavors=("small",)), candidate("b", room(1))]

    assert given([wanted(flavor="large")], candidates) == [("r", "b")]
    assert given([wanted(flavor="small")], candidates) == [("r", "a")]


def test_an_image_goes_to_an_executor_that_runs_images() -> None:
    candidates = [candidate("a", room(9)), candidate("b", room(1), backends=("process", "container"))]

    assert given([wanted(image=True)], candidates) == [("r", "b")]
    assert given([wanted()], candidates) == [("r", "a")]


# -- who -------------------------------------------------------------------------------------------


def test_higher_priority_goes_first_whatever_its_age_and_share() -> None:
    attempts = [wanted("old", age=9), wanted("urgent", priority=1, workspace="greedy")]

    assert given(attempts, [candidate("a", room(1))], {"share local/default greedy": 50}) == [("urgent", "a")]


def test_the_workspace_with_less_of_its_share_goes_first() -> None:
    attempts = [wanted("of-w", age=9), wanted("of-v", workspace="v")]
    usage = {"share local/default w": 3, "share local/default v": 2}

    assert given(attempts, [candidate("a", room(1))], usage) == [("of-v", "a")]


def test_a_weight_is_a_larger_share() -> None:
    attempts = [wanted("of-w", age=9), wanted("of-v", workspace="v")]
    usage = {"share local/default w": 3, "share local/default v": 2}

    assert given(attempts, [candidate("a", room(1))], usage, {"w": 2}) == [("of-w", "a")]


def test_what_a_workspace_has_in_another_pool_does_not_count() -> None:
    attempts = [wanted("of-w", age=9), wanted("of-v", workspace="v")]

    assert given(attempts, [candidate("a", room(1))], {"share local/gpu w": 9}) == [("of-w", "a")]


def test_of_one_workspace_the_longest_ready_goes_first() -> None:
    attempts = [wanted("young", age=1), wanted("old", age=2)]

    assert given(attempts, [candidate("a", room(2))]) == [("old", "a"), ("young", "a")]


def test_who_reached_a_limit_is_passed_over() -> None:
    attempts = [wanted("old", age=9, bounds=(("workflow w/f", 2),)), wanted("young", workflow="g")]

    assert given(attempts, [candidate("a", room(1))], {"workflow w/f": 2}) == [("young", "a")]


def test_small_attempts_do_not_keep_a_large_one_waiting_for_ever() -> None:
    total = room(4, cpu=4)
    candidates = [candidate("a", room(2, cpu=2), total), candidate("b", room(1, cpu=1), total)]
    attempts = [wanted("large", age=9, size=size(cpu=4)), wanted("small", age=1), wanted("tiny")]

    # Executor a lacks least: it is kept until the large one fits.
    assert given(attempts, candidates) == [("small", "b")]


# -- why not ---------------------------------------------------------------------------------------


def test_no_executor_in_the_pool_is_a_reason() -> None:
    assert why(wanted(pool="gpu"), [candidate("a", room(1))]) == (
        "NO_EXECUTOR",
        "no executor in pool gpu of region local",
    )


def test_executors_that_take_no_work_are_named_with_their_reason() -> None:
    one = wanted()
    closed = ["a is draining", "b has 5 MiB free on the disk of /var"]

    reason = explain({one.demand: [one]}, [], {}, {}, [one], closed)[one]

    assert reason.reason == "NO_EXECUTOR"
    assert reason.message == (
        "no executor in pool default of region local takes work now: a is draining; "
        "b has 5 MiB free on the disk of /var"
    )


def test_no_executor_that_takes_the_flavor_is_a_reason() -> None:
    assert why(wanted(flavor="a100"), [candidate("a", room(1), flavors=("small",))]) == (
        "NO_EXECUTOR",
        "no executor in pool default of region local takes flavor a100",
    )


def test_no_executor_that_runs_images_is_a_reason() -> None:
    able = candidate("b", room(1), flavors=("small",), backends=("container",))

    assert why(wanted(image=True), [candidate("a", room(1))]) == (
        "NO_EXECUTOR",
        "no executor in pool default of region local runs images; start one with the backend container",
    )
    assert why(wanted(image=True, flavor="a100"), [candidate("a", room(1), flavors=("a100",)), able]) == (
        "NO_EXECUTOR",
        (
            "no executor in pool default of region local that takes flavor a100 runs images; start one with "
            "the backend container"
        ),
    )


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        (size(memory=64 * GIB), "needs 64 GiB of memory, the largest executor in {} has 16 GiB"),
        (size(gpu=2), "needs 2 gpu, the largest executor in {} has 1"),
        (size(cpu=16.5), "needs 16.5 cpu, the largest executor in {} has 8"),
        (size(cpu=8, gpu=1), "needs 8 cpu, 1 gpu, which no single executor in {} has"),
    ],
)
def test_too_large_names_what_is_asked_for_and_the_largest_that_there_is(needs: object, message: str) -> None:
    candidates = [
        candidate("a", room(1, cpu=8, memory=16 * GIB)),
        candidate("b", room(1, cpu=1, memory=GIB, gpu=1)),
    ]

    assert why(wanted(size=needs), candidates) == (
        "TOO_LARGE",
        message.format("pool default of region local"),
    )


def test_a_reached_limit_is_named_with_its_numbers() -> None:
    attempt = wanted(bounds=(("workflow w/f", 4),))

    assert why(attempt, [candidate("a", room(9))], usage={"workflow w/f": 4}) == (
        "LIMIT",
        "workflow w/f has 4 of 4 attempts active",
    )


def test_who_is_behind_others_is_told_how_many() -> None:
    attempt, full = wanted("last"), [candidate("a", room(0), room(2))]

    reason, message = why(attempt, full, wanted("x", age=1), wanted("y", age=2), wanted("z", priority=1))

    assert (reason, message.split(":")[0]) == (
        "TURN",
        "3 attempts are before it in pool default of region local",
    )


def test_who_can_never_go_is_before_nobody() -> None:
    blocked = wanted("x", age=9, bounds=(("workflow w/f", 1),))

    reason, _ = why(wanted("y"), [candidate("a", room(0), room(2))], blocked, usage={"workflow w/f": 1})

    assert reason == "NO_ROOM"


def test_who_is_next_is_told_what_lacks() -> None:
    assert why(wanted(), [candidate("a", room(0), room(2))]) == (
        "NO_ROOM",
        "it is next, and all 2 slots of pool default of region local are taken",
    )
    assert why(wanted(size=size(cpu=4)), [candidate("a", room(1, cpu=3), room(4, cpu=4))]) == (
        "NO_ROOM",
        "it is next and needs 4 cpu, which no executor in pool default of region local has free now",
    )
