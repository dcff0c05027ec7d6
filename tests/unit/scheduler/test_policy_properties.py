"""What holds of every decision: on random attempts, executors, limits and weights."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.scheduler.attempts import candidate, size, wanted

from foldline_scheduler import reasons
from foldline_scheduler.policy import Candidate, Decision, assign
from foldline_scheduler.sizes import Size
from foldline_scheduler.wanted import Wanted

LIMITS = {"workspace v": 3, "workflow w/f": 2, "step w/g/s": 1, "pool local/gpu": 2}


class Situation(NamedTuple):
    attempts: list[Wanted]
    candidates: list[Candidate]
    usage: Counter[str]
    weights: dict[str, float]

    def decide(self) -> Decision:
        return assign(self.attempts, self.candidates, self.usage, self.weights)


def sizes(most: int) -> st.SearchStrategy[Size]:
    few = st.integers(0, most)
    return st.builds(size, cpu=st.integers(1, most), memory=few, gpu=st.integers(0, 2))


@st.composite
def attempts_of(draw: st.DrawFn) -> list[Wanted]:
    found = []
    for number in range(draw(st.integers(0, 10))):
        workspace, workflow = draw(st.sampled_from("vw")), draw(st.sampled_from("fg"))
        pool = draw(st.sampled_from(["default", "gpu"]))
        under = {f"workspace {workspace}", f"workflow {workspace}/{workflow}", f"pool local/{pool}"}
        under.add(f"step {workspace}/{workflow}/s")
        one = wanted(
            f"r{number}",
            age=draw(st.integers(0, 5)),
            workflow=workflow,
            workspace=workspace,
            pool=pool,
            priority=draw(st.integers(-1, 1)),
            size=draw(sizes(4)),
            flavor=draw(st.sampled_from(["", "small", "large"])),
            bounds=tuple((name, most) for name, most in LIMITS.items() if name in under),
        )
        found.append(one)
    return found


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    candidates = []
    for number in range(draw(st.integers(0, 5))):
        total = size(draw(st.integers(1, 6)), draw(st.integers(0, 6)), draw(st.integers(0, 2)), slots=3)
        free = size(
            draw(st.integers(0, total.millicpus // 1000)),
            draw(st.integers(0, total.memory_bytes)),
            draw(st.integers(0, total.gpu)),
            slots=draw(st.integers(0, 3)),
        )
        pool, flavors = draw(st.sampled_from(["default", "gpu"])), draw(st.sampled_from([(), ("small",)]))
        candidates.append(candidate(f"e{number}", free, total, pool=pool, flavors=flavors))
    names = [*LIMITS, "share local/default v", "share local/default w", "share local/gpu w"]
    usage = Counter(draw(st.dictionaries(st.sampled_from(names), st.integers(1, 4))))
    weights = draw(st.dictionaries(st.sampled_from("vw"), st.sampled_from([0.5, 2.0, 3.0])))
    return Situation(draw(attempts_of()), candidates, usage, weights)


def usage_after(situation: Situation, decision: Decision) -> Counter[str]:
    usage = situation.usage.copy()
    for one in decision.assignments:
        usage.update(one.wanted.names)
    return usage


def rooms_after(situation: Situation, decision: Decision) -> dict[str, Size]:
    rooms = {one.session: one.free for one in situation.candidates}
    for one in decision.assignments:
        rooms[one.session] = rooms[one.session].minus(one.wanted.demand.size)
    return rooms


def fitting(attempt: Wanted, candidates: Sequence[Candidate], rooms: dict[str, Size]) -> list[str]:
    demand = attempt.demand
    return [
        one.session
        for one in candidates
        if (one.region, one.pool) == demand.place
        and one.takes(demand)
        and demand.size.fits(rooms[one.session])
    ]


many = settings(max_examples=80, deadline=None)


@many
@given(situations())
def test_everybody_is_assigned_once_or_has_one_reason(situation: Situation) -> None:
    decision = situation.decide()

    assigned = [one.wanted for one in decision.assignments]
    assert len(assigned) + len(decision.reasons) == len(situation.attempts)
    assert {*assigned, *decision.reasons} == set(situation.attempts)


@many
@given(situations())
def test_no_room_is_given_twice(situation: Situation) -> None:
    for room in rooms_after(situation, situation.decide()).values():
        assert min(room.slots, room.millicpus, room.memory_bytes, room.gpu) >= 0


@many
@given(situations())
def test_attempts_go_only_where_they_may(situation: Situation) -> None:
    by_session = {one.session: one for one in situation.candidates}

    for one in situation.decide().assignments:
        chosen = by_session[one.session]
        assert (chosen.region, chosen.pool) == one.wanted.demand.place
        assert chosen.takes(one.wanted.demand)


@many
@given(situations())
def test_no_limit_is_exceeded_by_a_decision(situation: Situation) -> None:
    decision = situation.decide()
    usage = usage_after(situation, decision)

    for one in decision.assignments:
        for name, maximum in one.wanted.demand.bounds:
            assert usage[name] <= maximum


@many
@given(situations())
def test_every_reason_is_true(situation: Situation) -> None:
    decision = situation.decide()
    usage, rooms = usage_after(situation, decision), rooms_after(situation, decision)
    totals = {one.session: one.total for one in situation.candidates}
    for attempt, reason in decision.reasons.items():
        demand = attempt.demand
        here = [one for one in situation.candidates if (one.region, one.pool) == demand.place]
        fits = fitting(attempt, here, rooms)
        match reason.reason:
            case reasons.NO_EXECUTOR:
                assert not any(one.takes(demand) for one in here)
            case reasons.TOO_LARGE:
                assert not fitting(attempt, here, totals)
            case reasons.LIMIT:
                assert any(usage[name] >= maximum for name, maximum in demand.bounds)
            case reasons.NO_ROOM:
                assert not fits
            case reasons.TURN:
                # Whatever fits still is the one executor that is kept for somebody before it.
                assert len(fits) <= 1
                kept_for = [other for other, why in decision.reasons.items() if why.reason == reasons.NO_ROOM]
                assert any(other.demand.place == demand.place for other in kept_for)
            case _:
                raise AssertionError(reason)


@many
@given(situations())
def test_priorities_are_strict(situation: Situation) -> None:
    """Taking away everything of lower priority changes nothing for the rest."""
    decision = situation.decide()
    high = [one for one in situation.attempts if one.demand.priority == 1]

    alone = situation._replace(attempts=high).decide()

    def places(of: Decision) -> dict[str, str]:
        return {
            one.wanted.key.run_id: one.session for one in of.assignments if one.wanted.demand.priority == 1
        }

    assert places(decision) == places(alone)


@many
@given(situations(), st.randoms(use_true_random=False))
def test_the_order_in_which_things_are_told_changes_nothing(situation: Situation, chance: object) -> None:
    shuffled = Situation(list(situation.attempts), list(situation.candidates), *situation[2:])
    chance.shuffle(shuffled.attempts)  # type: ignore[attr-defined]  # hypothesis's random
    chance.shuffle(shuffled.candidates)  # type: ignore[attr-defined]  # hypothesis's random

    first, second = situation.decide(), shuffled.decide()

    assert first.assignments == second.assignments
    assert first.reasons == second.reasons


@settings(max_examples=15, deadline=None)
@given(
    weights=st.dictionaries(
        st.sampled_from("abcd"), st.sampled_from([1.0, 2.0, 3.0, 5.0]), min_size=2, max_size=4
    ),
    slots=st.integers(4, 24),
    ends=st.lists(st.integers(0, 1000), min_size=150, max_size=150),
)
def test_under_permanent_load_shares_come_to_be_as_the_weights(
    weights: dict[str, float], slots: int, ends: list[int]
) -> None:
    """All slots taken by one workspace at first; attempts end in any order; everybody always wants more."""
    running: deque[str] = deque("a" for _ in range(slots))
    for number, end in enumerate(ends):
        running.rotate(end)
        running.popleft()
        usage = Counter(f"share local/default {workspace}" for workspace in running)
        attempts = [wanted(f"{workspace}{number}", workspace=workspace) for workspace in weights]
        decision = assign(attempts, [candidate("e", size(slots=1))], usage, weights)
        running.append(decision.assignments[0].wanted.demand.workspace)

    # No slot more could be moved to somebody who has less of a share.
    counts = Counter(running)
    for one, weight in weights.items():
        for other, its_weight in weights.items():
            assert (counts[one] - 1) / weight <= counts[other] / its_weight
