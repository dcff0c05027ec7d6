"""The queue as an owner of runs uses it."""

from __future__ import annotations

from typing import Any

from tests.unit.domain.graphs import Game, function, graph
from tests.unit.scheduler.attempts import GIB, beat, offer, ready

from foldline.domain.commands import ScheduleSteps
from foldline.domain.spec import Resources
from foldline.domain.work import AttemptKey, Claim
from foldline_scheduler.executors import Executors
from foldline_scheduler.limits import Limits
from foldline_scheduler.offers import nothing_of, offer_of
from foldline_scheduler.queue import Grant, Queue
from foldline_scheduler.sizes import Size


class Desk:
    """A queue with one executor of two slots, unless said otherwise."""

    def __init__(self, limits: Limits | None = None, flavors: dict[str, Size] | None = None, **said: Any):
        self.executors = Executors(flavors)
        self.executors.hear(beat(**said), now=0.0)
        self.queue = Queue(self.executors, limits or Limits(), flavors)

    def ask(self, run_id: str, *steps: Any, **changes: Any) -> list[str]:
        """The steps that it got."""
        return [one.key.step for one in self.grants(run_id, *steps, **changes)]

    def grants(self, run_id: str, *steps: Any, **changes: Any) -> tuple[Grant, ...]:
        return self.queue.ask(offer(run_id, *steps, **changes))

    def why(self, run_id: str, *steps: Any, **changes: Any) -> dict[str, str]:
        found = self.queue.explain(offer(run_id, *steps, **changes))
        return {step: reason.reason for step, reason in found.items()}

    @property
    def free_slots(self) -> int:
        return sum(one.free.slots for one in self.executors.candidates("local", "default"))

    @property
    def is_clear(self) -> bool:
        """Nothing is taken, and nobody is called."""
        return self.free_slots == 2 and not self.executors.usage and not self.queue.due()


def key(run_id: str, step: str = "s", attempt: int = 1) -> AttemptKey:
    return AttemptKey(run_id=run_id, step=step, attempt=attempt)


# -- asking ----------------------------------------------------------------------------------------


def test_a_run_alone_gets_everything_at_once() -> None:
    assert Desk().ask("r", "a", "b") == ["a", "b"]


def test_what_there_is_no_room_for_waits_and_is_called_when_there_is() -> None:
    desk = Desk()
    first = desk.grants("r1", "a", "b")
    assert desk.ask("r2", "a") == []
    assert desk.queue.due() == ()

    desk.queue.ended(first[0].session, first[0].key)

    assert desk.queue.due() == ("r2",)
    assert desk.ask("r2", "a") == ["a"]
    assert desk.queue.due() == ()


def test_a_run_is_called_until_it_asks() -> None:
    desk = Desk(slots=1)
    (grant,) = desk.grants("r1", "a")
    desk.ask("r2", "a")
    desk.queue.ended(grant.session, grant.key)

    assert desk.queue.due() == desk.queue.due() == ("r2",)


def test_what_is_kept_for_a_run_nobody_else_gets() -> None:
    desk = Desk(slots=1)
    (grant,) = desk.grants("r1", "a")
    desk.ask("r2", "a")
    desk.queue.ended(grant.session, grant.key)

    assert desk.queue.due() == ("r2",)
    assert desk.ask("r3", ready("a", age=99), priority=9) == []
    assert desk.ask("r2", "a") == ["a"]


def test_an_executor_that_comes_later_calls_who_waits() -> None:
    desk = Desk()
    assert desk.ask("r", ready("a", pool="gpu")) == []

    desk.executors.hear(beat(session="s2", pool="gpu"), now=1.0)

    assert desk.queue.due() == ("r",)


def test_an_offer_replaces_the_one_before() -> None:
    desk = Desk(slots=1)
    (grant,) = desk.grants("r1", "a")
    desk.ask("r2", "a", "b")
    desk.ask("r2", "b")
    desk.queue.ended(grant.session, grant.key)

    assert desk.ask("r2", "b") == ["b"]


def test_what_was_kept_and_is_not_offered_any_more_is_free_for_others() -> None:
    desk = Desk(slots=1)
    (grant,) = desk.grants("r1", "a")
    desk.ask("r2", "a")
    desk.queue.ended(grant.session, grant.key)
    assert desk.queue.due() == ("r2",)

    assert desk.ask("r2") == []

    assert desk.ask("r3", "a") == ["a"]


def test_what_was_kept_on_a_session_that_has_gone_is_given_elsewhere() -> None:
    desk = Desk(slots=1)
    (grant,) = desk.grants("r1", "a")
    desk.ask("r2", "a")
    desk.queue.ended(grant.session, grant.key)
    assert desk.queue.due() == ("r2",)

    desk.executors.hear(beat(session="s2", replaces="s1"), now=1.0)

    assert [one.session for one in desk.grants("r2", "a")] == ["s2"]


# -- nothing leaks ---------------------------------------------------------------------------------


def test_what_is_given_back_is_free_and_can_be_asked_for_again() -> None:
    desk = Desk()
    desk.queue.give_back(desk.grants("r", "a", "b"))
    assert desk.is_clear

    assert desk.ask("r", "a", "b") == ["a", "b"]


def test_what_has_ended_twice_is_free_once() -> None:
    desk = Desk()
    for grant in desk.grants("r", "a", "b"):
        desk.queue.ended(grant.session, grant.key)
        desk.queue.ended(grant.session, grant.key)

    assert desk.is_clear


def test_withdrawing_a_run_forgets_all_of_it() -> None:
    desk = Desk()
    desk.ask("r1", "a", "b", "c")
    desk.ask("r2", "a")

    desk.queue.withdraw("r2")
    desk.queue.withdraw("r1")

    assert desk.is_clear


def test_withdrawing_a_run_frees_what_was_kept_for_it() -> None:
    desk = Desk()
    first = desk.grants("r1", "a", "b")
    desk.ask("r2", "a")
    for grant in first:
        desk.queue.ended(grant.session, grant.key)
    assert desk.queue.due() == ("r2",)

    desk.queue.withdraw("r2")

    assert desk.is_clear


def test_what_another_scheduler_goes_on_with_counts_while_it_is_held() -> None:
    desk = Desk()
    (grant,) = desk.grants("r", "a")
    desk.executors.hear(beat(held=(grant.key,)), now=1.0)

    desk.queue.withdraw("r")

    assert desk.free_slots == 1
    desk.executors.hear(beat(), now=2.0)
    assert desk.is_clear


def test_a_run_that_was_loaded_brings_what_it_has_under_way() -> None:
    desk, game = Desk(session="ex"), Game(graph(function("a"), function("b"), function("c")))
    game.play(ScheduleSteps((("a", "ex"), ("b", "ex"))))

    desk.queue.adopt(game.state)

    assert (desk.free_slots, desk.executors.usage["workspace w"]) == (0, 2)
    desk.queue.adopt(game.state)
    assert (desk.free_slots, desk.executors.usage["workspace w"]) == (0, 2)


def test_a_run_that_was_loaded_again_loses_what_the_ledger_does_not_know() -> None:
    desk, game = Desk(session="ex"), Game(graph(function("a"), function("b")))
    assert len(desk.queue.ask(offer_of(game.state, game.now))) == 2

    game.play(ScheduleSteps((("a", "ex"),)))
    desk.queue.adopt(game.state)

    assert (desk.free_slots, desk.executors.usage["workspace w"]) == (1, 1)
    desk.queue.withdraw(game.state.created.run_id)
    assert desk.is_clear


# -- limits ----------------------------------------------------------------------------------------


def test_every_kind_of_limit_holds_on_one_executor() -> None:
    for limits in (
        Limits(pools={"local/default": 1}),
        Limits(workspaces={"w": 1}),
        Limits(workflows={"w/f": 1}),
    ):
        desk = Desk(limits)
        assert desk.ask("r", "a", "b") == ["a"]
        assert desk.why("r", "b") == {"b": "LIMIT"}


def test_a_limit_of_a_step_holds_over_all_runs_of_the_workflow() -> None:
    desk = Desk(Limits(steps={"w/f/a": 1}))

    assert desk.ask("r1", "a", "b") == ["a", "b"]
    assert Desk(Limits(steps={"w/f/a": 1})).ask("r1", "a") == ["a"]
    assert desk.ask("r2", "a") == []
    assert desk.why("r2", "a") == {"a": "LIMIT"}


def test_the_smaller_of_a_steps_own_limit_and_the_operators_holds() -> None:
    for own, set_by_operator in ((1, 5), (5, 1)):
        desk = Desk(Limits(steps={"w/f/a": set_by_operator}), slots=9)
        assert desk.ask("r1", ready("a", max_active=own)) == ["a"]
        assert desk.ask("r2", ready("a", max_active=own)) == []


def test_the_parallelism_of_a_map_holds_over_all_its_children() -> None:
    desk = Desk(slots=9)
    children = [f"r.each.1.{number}" for number in range(4)]

    around = {"r.each": 2}
    got = [desk.ask(child, "s", around=around) for child in children]

    assert got == [["s"], ["s"], [], []]
    assert desk.why(children[2], "s", around=around) == {"s": "LIMIT"}
    assert desk.ask("other.each.1.0", "s", around={"other.each": 2}) == ["s"]
    desk.queue.ended("s1", key(children[0]))
    assert desk.queue.due() == (children[2],)


def test_the_parallelism_of_a_map_holds_for_all_that_runs_inside_its_items() -> None:
    desk = Desk(slots=9)
    around = {"r.each": 2}
    loops = [f"r.each.1.0.train.{item}.1.0" for item in range(3)]  # a loop inside each of three items

    assert [desk.ask(loop, "s", around=around) for loop in loops] == [["s"], ["s"], []]
    assert desk.ask("r.each.1.0", "last.4", around=around) == []
    assert desk.why(loops[2], "s", around=around) == {"s": "LIMIT"}


def test_a_limit_of_a_step_inside_a_map_counts_over_its_items() -> None:
    desk = Desk(Limits(steps={"w/f/each/s": 1}))

    assert desk.ask("r.each.1.0", "s") == ["s"]
    assert desk.ask("r.each.1.1", "s") == []


# -- explaining ------------------------------------------------------------------------------------


def test_every_step_of_an_offer_has_one_reason() -> None:
    desk = Desk(Limits(steps={"w/f/limited": 1}), slots=2, cpu=4, memory_bytes=4 * GIB)
    desk.ask("other", "limited", "x")
    steps = (
        ready("nowhere", pool="moon"),
        ready("huge", memory_bytes=8 * GIB),
        ready("strange", flavor="purple"),
        "limited",
        ready("next", age=9),
        "last",
    )
    desk.ask("r", *steps)

    assert desk.why("r", *steps) == {
        "nowhere": "NO_EXECUTOR",
        "huge": "TOO_LARGE",
        "strange": "UNKNOWN_FLAVOR",
        "limited": "LIMIT",
        "next": "NO_ROOM",
        "last": "TURN",
    }


def test_what_is_being_given_is_starting() -> None:
    desk = Desk()
    desk.ask("r", "a")

    assert desk.why("r", "a") == {"a": "STARTING"}


def test_a_run_that_never_asked_is_explained_as_if_it_waited() -> None:
    desk = Desk(slots=1)
    desk.ask("r1", "a", "b")

    assert desk.why("z", "a") == {"a": "TURN"}
    assert desk.why("z", ready("a", age=9)) == {"a": "NO_ROOM"}


def test_a_flavor_is_a_size_and_what_the_step_says_counts_over_it() -> None:
    large = Size(millicpus=4000, memory_bytes=4 * GIB)
    desk = Desk(flavors={"large": large}, slots=9, cpu=8, memory_bytes=64 * GIB)

    desk.ask("r1", ready("a", flavor="large"), ready("b", flavor="large", memory_bytes=GIB))

    (left,) = desk.executors.candidates("local", "default")
    assert (left.free.millicpus, left.free.memory_bytes) == (0, 59 * GIB)


def test_ranks_take_as_much_each_and_one_slot_together() -> None:
    desk = Desk(slots=9, cpu=8, memory_bytes=64 * GIB, gpu=4)

    asked = ready("a", ranks=4, cpu=1.5, memory_bytes=GIB, gpu=1)
    assert desk.ask("r1", asked) == ["a"]

    (left,) = desk.executors.candidates("local", "default")
    assert left.free == Size(slots=8, millicpus=2000, memory_bytes=60 * GIB, gpu=0)
    assert desk.ask("r2", ready("a", ranks=3)) == []


def test_the_reason_of_a_step_with_ranks_says_what_they_need_together() -> None:
    desk = Desk(slots=9, cpu=8, memory_bytes=64 * GIB)

    reason = desk.queue.explain(offer("r1", ready("a", ranks=16)))["a"]

    assert "needs 16 cpu for its 16 ranks" in reason.message


def test_ranks_of_attempts_that_others_gave_out_count() -> None:
    claim = Claim(workspace="w", workflow="f", resources=Resources(cpu=2), ranks=3)
    desk = Desk(slots=9, cpu=8, held=(key("other"),), claims=(claim,))

    (left,) = desk.executors.candidates("local", "default")
    assert left.free.millicpus == 2000


# -- offers ----------------------------------------------------------------------------------------


def test_an_offer_says_what_a_run_has_ready() -> None:
    large = Resources(cpu=2)
    game = Game(graph(function("a", resources=large, max_active=3), function("b", "a"), function("c")))

    found = offer_of(game.state, game.now)

    assert [(one.step, one.attempt, one.place) for one in found.steps] == [("a", 1, 0), ("c", 1, 2)]
    assert (found.steps[0].resources, found.steps[0].max_active) == (large, 3)
    assert (found.workspace, found.workflow, found.region, found.priority) == ("w", "f", "local", 0)
    assert nothing_of(game.state).steps == ()
