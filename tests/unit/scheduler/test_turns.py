"""Whose turn it is when a slot comes free, and who is woken for it."""

from __future__ import annotations

from tests.unit.scheduler.attempts import beat, offer, ready, size

from foldline.domain.work import AttemptKey, Claim
from foldline_scheduler.executors import Executors
from foldline_scheduler.limits import Limits
from foldline_scheduler.offers import Offer
from foldline_scheduler.queue import Queue
from foldline_scheduler.sizes import Flavors


class Lab:
    """A queue with one executor of so many slots."""

    def __init__(
        self, slots: int = 2, limits: Limits | None = None, flavors: Flavors | None = None, cpu: float = 0.0
    ) -> None:
        self.executors = Executors(flavors)
        self.queue = Queue(self.executors, limits or Limits(), flavors)
        self.hear(slots=slots, cpu=cpu)

    def hear(self, **changes: object) -> None:
        self.executors.hear(beat(**changes), now=0.0)

    def ask(self, one: Offer) -> list[str]:
        return [grant.key.step for grant in self.queue.ask(one)]

    def end(self, run_id: str, step: str = "s", attempt: int = 1) -> None:
        self.queue.ended("s1", AttemptKey(run_id=run_id, step=step, attempt=attempt))

    def reason(self, one: Offer, step: str = "s") -> str:
        return self.queue.explain(one)[step].reason


def test_a_slot_that_came_free_goes_to_whose_turn_it_is_and_not_to_who_asks() -> None:
    lab = Lab(slots=1)
    lab.ask(offer("first", "a"))
    lab.ask(offer("urgent", "s", priority=1))

    lab.end("first", "a")

    assert lab.ask(offer("first", "b")) == []
    assert lab.queue.due() == ("urgent",)


def test_a_run_uses_its_slot_again_in_the_same_write_when_nobody_waits() -> None:
    lab = Lab(slots=1)
    lab.ask(offer("r", "a"))

    lab.end("r", "a")

    assert lab.ask(offer("r", "b")) == ["b"]


def test_what_is_kept_and_not_wanted_any_more_goes_to_the_next() -> None:
    lab = Lab(slots=1)
    lab.ask(offer("first", "s"))
    lab.ask(offer("second", ready(age=2)))
    lab.ask(offer("third", ready(age=1)))
    lab.end("first")
    assert lab.queue.due() == ("second",)

    assert lab.ask(offer("second")) == []

    assert lab.queue.due() == ("third",)


def test_another_attempt_is_another_wish() -> None:
    lab = Lab(slots=1)
    lab.ask(offer("first", "s"))
    lab.ask(offer("second", ready(attempt=1)))
    lab.end("first")
    assert lab.queue.due() == ("second",)

    (grant,) = lab.queue.ask(offer("second", ready(attempt=2)))

    assert grant.key.attempt == 2


def test_a_workflows_limit_holds_over_all_its_runs() -> None:
    lab = Lab(slots=9, limits=Limits(workflows={"w/f": 2}))

    assert lab.ask(offer("r1", "a", "b")) == ["a", "b"]
    assert lab.ask(offer("r2", "a")) == []
    assert lab.ask(offer("r3", "a", workflow="g")) == ["a"]
    lab.end("r1", "a")

    assert lab.queue.due() == ("r2",)


def test_what_another_scheduler_runs_counts_for_limits() -> None:
    lab = Lab(slots=9, limits=Limits(workspaces={"w": 1}))
    key = AttemptKey(run_id="its", step="s", attempt=1)
    lab.hear(slots=9, held=(key,), claims=(Claim(workspace="w", workflow="f"),))

    assert lab.ask(offer("r", "s")) == []
    lab.hear(slots=9)

    assert lab.queue.due() == ("r",)


def test_an_attempt_gets_only_what_its_flavor_fits_in() -> None:
    flavors = {"large": size(cpu=3)}
    lab = Lab(slots=9, flavors=flavors, cpu=4)
    large = ready("s", flavor="large")

    assert lab.ask(offer("r1", large)) == ["s"]
    assert lab.ask(offer("r2", large)) == []
    assert lab.ask(offer("r3", ready("s", cpu=0.5))) == []  # the executor is kept for r2
    assert (lab.reason(offer("r2", large)), lab.reason(offer("r3", ready(cpu=0.5)))) == ("NO_ROOM", "TURN")


def test_thousands_that_wait_are_told_their_places() -> None:
    lab = Lab(slots=1)
    lab.ask(offer("first", "s"))
    many = offer("many", *(f"s.{number}" for number in range(3000)))
    lab.ask(many)

    reasons = lab.queue.explain(many)

    assert reasons["s.0"].reason == "NO_ROOM"
    assert reasons["s.2999"].message.startswith("2999 attempts are before it")
