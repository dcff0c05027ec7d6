"""What a scheduler believes of executors, from heartbeats and from what it gave out itself."""

from __future__ import annotations

from tests.unit.scheduler.attempts import GIB, beat, room, size

from foldline.domain.spec import Resources
from foldline.domain.work import AttemptKey, Claim
from foldline_scheduler.executors import Executors, Taken
from foldline_scheduler.sizes import NOTHING, UNBOUNDED, Size

KEY = AttemptKey(run_id="r", step="s", attempt=1)
OTHERS = AttemptKey(run_id="x", step="s", attempt=1)
CLAIM = Claim(workspace="v", workflow="g", resources=Resources(cpu=2, memory_bytes=GIB))
#: Under which an attempt of somebody else is counted by its claim.
CLAIMED = {"pool local/default", "workspace v", "workflow v/g", "step v/g/s", "share local/default v"}


def hearing(**changes: object) -> Executors:
    executors = Executors()
    executors.hear(beat(**changes), now=0.0)
    return executors


def free(executors: Executors, pool: str = "default") -> list[tuple[str, Size]]:
    return [(one.session, one.free) for one in executors.candidates("local", pool)]


def test_what_an_executor_does_not_say_it_has_without_bound_but_for_graphics() -> None:
    assert free(hearing()) == [("s1", Size(slots=2, millicpus=UNBOUNDED, memory_bytes=UNBOUNDED, gpu=0))]


def test_what_an_executor_says_is_what_it_has() -> None:
    executors = hearing(cpu=2.5, memory_bytes=GIB, gpu=1)

    assert free(executors) == [("s1", room(2, cpu=2.5, memory=GIB, gpu=1))]


def test_an_executor_without_a_pool_is_in_the_default_one() -> None:
    assert free(hearing(pool="")) == free(hearing(pool="default"))
    assert free(hearing(pool="gpu")) == []


def lead(executors: Executors) -> int:
    (one,) = executors.candidates("local", "default")
    return one.lead


def ending(seconds: float, **changes: object) -> Executors:
    """Of which many attempts have ended after so long."""
    executors = hearing(**changes)
    for _ in range(50):
        executors.note_end("s1", seconds)
    return executors


def test_a_session_leads_by_what_it_ends_in_a_moment() -> None:
    assert lead(hearing()) == 0
    assert lead(ending(0.009)) == 2 * 4  # five fit into 50 ms, and one runs
    assert lead(ending(0.0)) == 50
    assert lead(ending(1.0)) == 0


def test_a_session_that_cannot_fill_its_slots_does_not_lead() -> None:
    assert lead(ending(0.01, cpu=1)) == 0
    assert lead(ending(0.01, cpu=2)) > 0


def test_a_session_with_something_unusual_does_not_lead() -> None:
    executors = ending(0.01)

    executors.reserve("s1", KEY, Taken(size(memory=GIB), ()))
    assert lead(executors) == 0
    executors.release("s1", KEY)
    assert lead(executors) > 0


def test_what_has_ended_and_waits_for_its_acknowledgement_takes_no_lead_away() -> None:
    executors = ending(0.01)

    executors.hear(beat(held=(OTHERS,), claims=(Claim(),)), now=1.0)

    assert lead(executors) > 0


def test_room_is_taken_until_it_is_released() -> None:
    executors = hearing(cpu=8)

    executors.reserve("s1", KEY, Taken(size(cpu=3), ("workspace w",)))
    assert free(executors)[0][1].millicpus == 5000
    assert executors.usage == {"workspace w": 1}

    executors.release("s1", KEY)
    assert free(executors)[0][1].millicpus == 8000
    assert executors.usage == {}


def test_reserving_and_releasing_twice_is_as_once() -> None:
    executors = hearing()
    for _ in range(2):
        executors.reserve("s1", KEY, Taken(Size(), ("workspace w",)))
    assert (free(executors)[0][1].slots, executors.usage) == (1, {"workspace w": 1})

    for _ in range(2):
        executors.release("s1", KEY)
    assert (free(executors)[0][1].slots, executors.usage) == (2, {})


def test_an_attempt_that_a_heartbeat_shows_takes_its_room_once() -> None:
    executors = hearing()
    executors.reserve("s1", KEY)

    executors.hear(beat(held=(KEY,), claims=(CLAIM,)), now=1.0)

    assert free(executors)[0][1].slots == 1


def test_an_attempt_that_ended_takes_nothing_whatever_the_next_heartbeat_says() -> None:
    executors = hearing(held=(KEY,), claims=(CLAIM,))
    executors.reserve("s1", KEY)
    executors.release("s1", KEY)

    executors.hear(beat(held=(KEY,), claims=(CLAIM,)), now=1.0)

    assert (free(executors)[0][1].slots, executors.usage) == (2, {})


def test_a_heartbeat_that_was_on_its_way_when_an_attempt_ended_takes_nothing_back() -> None:
    executors = hearing()
    executors.reserve("s1", KEY)
    executors.release("s1", KEY)

    executors.hear(beat(held=(KEY,), claims=(CLAIM,)), now=1.0)
    assert (free(executors)[0][1].slots, executors.usage) == (2, {})

    executors.hear(beat(), now=2.0)
    executors.hear(beat(held=(KEY,), claims=(CLAIM,)), now=3.0)  # so somebody else gave it out again
    assert (free(executors)[0][1].slots, executors.usage) == (1, dict.fromkeys(CLAIMED, 1))


def test_attempts_of_others_are_counted_by_their_claims() -> None:
    executors = hearing(cpu=8, held=(OTHERS,), claims=(CLAIM,))

    assert free(executors)[0][1].millicpus == 6000
    assert executors.usage == dict.fromkeys(CLAIMED, 1)

    executors.hear(beat(cpu=8), now=1.0)
    assert (free(executors)[0][1].slots, executors.usage) == (2, {})


def test_an_empty_claim_takes_nothing() -> None:
    executors = hearing(held=(OTHERS,), claims=(Claim(),))

    assert (free(executors)[0][1].slots, executors.usage) == (2, {})


def test_an_attempt_without_a_claim_takes_a_slot() -> None:
    assert free(hearing(held=(OTHERS,)))[0][1].slots == 1


def test_what_is_no_longer_ours_counts_as_long_as_heartbeats_show_it() -> None:
    executors = hearing(held=(OTHERS,), claims=(CLAIM,))
    executors.reserve("s1", OTHERS, Taken(Size(), tuple(CLAIMED)))

    executors.release("s1", OTHERS, is_over=False)
    assert executors.usage == dict.fromkeys(CLAIMED, 1)

    executors.hear(beat(), now=1.0)
    assert executors.usage == {}


def test_what_is_ours_on_a_session_not_heard_of_yet_is_taken_once_it_is() -> None:
    executors = Executors()
    executors.reserve("s1", KEY, Taken(Size(), ("workspace w",)))

    executors.hear(beat(), now=0.0)

    assert (free(executors)[0][1].slots, executors.usage) == (1, {"workspace w": 1})


def test_a_session_that_is_gone_leaves_what_is_ours_until_it_ends() -> None:
    executors = hearing(held=(OTHERS,), claims=(CLAIM,))
    executors.reserve("s1", KEY, Taken(Size(), ("workspace w",)))

    executors.forget("s1")
    assert (free(executors), executors.usage) == ([], {"workspace w": 1})

    executors.release("s1", KEY)
    assert executors.usage == {}


def test_a_restarted_executor_replaces_its_old_session() -> None:
    executors = hearing()

    executors.hear(beat(session="s2", replaces="s1"), now=1.0)

    assert (executors.is_here("s1"), executors.is_here("s2")) == (False, True)


def test_a_draining_or_leaving_executor_gets_nothing() -> None:
    assert free(hearing(draining=True)) == []
    assert free(hearing(leaving=True)) == []


def test_an_executor_that_drains_no_more_gets_work_again() -> None:
    executors = hearing(draining=True)

    executors.hear(beat(), now=1.0)

    assert [session for session, _ in free(executors)] == ["s1"]


def test_an_executor_that_says_to_have_more_has_more() -> None:
    executors = hearing(slots=1, cpu=1, memory_bytes=GIB)
    assert free(executors) == [("s1", room(1, cpu=1, memory=GIB))]

    executors.hear(beat(slots=1, cpu=4, memory_bytes=2 * GIB, gpu=1, flavors=("large",)), now=1.0)

    assert free(executors) == [("s1", room(1, cpu=4, memory=2 * GIB, gpu=1))]
    assert executors.candidates("local", "default")[0].flavors == ("large",)


def test_an_executor_that_names_no_backend_runs_processes() -> None:
    executors = hearing()
    assert executors.candidates("local", "default")[0].backends == ("process",)

    executors.hear(beat(backends=("container", "ray")), now=1.0)

    assert executors.candidates("local", "default")[0].backends == ("container", "ray")


def test_silent_sessions_are_named() -> None:
    executors = hearing()
    executors.hear(beat(session="s2"), now=9.0)

    assert executors.silent(before=5.0) == ["s1"]


def test_nothing_is_less_than_a_slot() -> None:
    assert NOTHING.fits(NOTHING)
    assert not Size().fits(NOTHING)
