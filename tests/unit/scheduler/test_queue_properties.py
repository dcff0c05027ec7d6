"""What holds of the queue whatever happens in whatever order."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.scheduler.attempts import beat, offer, ready

from foldline.domain import paths
from foldline.domain.work import AttemptKey
from foldline_scheduler import reasons
from foldline_scheduler.executors import Executors
from foldline_scheduler.limits import Limits, counted
from foldline_scheduler.offers import Offer
from foldline_scheduler.queue import Queue

LIMITS = Limits(pools={"local/default": 5}, workspaces={"v": 2}, workflows={"w/g": 3}, weights={"w": 2.0})
PARALLELISM = 2
MOST_OF_STEP = 2
SLOTS = {"e1": ("default", 2), "e2": ("default", 4), "e3": ("gpu", 1)}
#: Runs with what they offer; the last ones are the items of one map.
RUNS = {
    "r1": ("w", "f", ("a", "b", "c")),
    "r2": ("v", "f", ("a", "b", "c")),
    "r3": ("w", "g", ("a", "b")),
    "r4": ("w", "g", ("a", "gpu")),
    **{f"p.each.1.{number}": ("w", "f", ("s",)) for number in range(4)},
}
BOUNDS = {
    **LIMITS.by_name,
    "step w/f/a": MOST_OF_STEP,
    "step v/f/a": MOST_OF_STEP,
    "step w/g/a": MOST_OF_STEP,
    "map p.each": PARALLELISM,
}

runs, sessions = st.sampled_from(sorted(RUNS)), st.sampled_from(sorted(SLOTS))


class Queueing(RuleBasedStateMachine):
    """Runs that ask, end, fail to write and go; executors that come and go. `active` is what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.executors = Executors()
        self.queue = Queue(self.executors, LIMITS)
        self.active: dict[AttemptKey, str] = {}
        self.attempts: Counter[tuple[str, str]] = Counter()
        self.silent: set[str] = set(SLOTS)

    def offer(self, run_id: str) -> Offer:
        workspace, workflow, steps = RUNS[run_id]
        busy = {key.step for key in self.active if key.run_id == run_id}
        found = [
            ready(
                step,
                place=place,
                attempt=self.attempts[run_id, step] + 1,
                max_active=MOST_OF_STEP if step == "a" else 0,
                pool="gpu" if step == "gpu" else "",
            )
            for place, step in enumerate(steps)
            if step not in busy
        ]
        around = {f"{outer}.{name}": PARALLELISM for outer, name, _ in paths.around(run_id)}
        return offer(run_id, *found, workspace=workspace, workflow=workflow, around=around)

    def end(self, key: AttemptKey) -> None:
        self.attempts[key.run_id, key.step] += 1
        self.queue.ended(self.active.pop(key), key)

    @rule(session=sessions)
    def hear(self, session: str) -> None:
        pool, slots = SLOTS[session]
        held = tuple(key for key, holder in self.active.items() if holder == session)
        self.executors.hear(beat(session=session, pool=pool, slots=slots, held=held), now=0.0)
        self.silent.discard(session)

    @rule(run_id=runs)
    def ask(self, run_id: str) -> None:
        offered = self.offer(run_id)
        possible = {(one.step, one.attempt) for one in offered.steps}
        for grant in self.queue.ask(offered):
            assert (grant.key.step, grant.key.attempt) in possible
            assert grant.session not in self.silent
            self.active[grant.key] = grant.session

    @rule(run_id=runs)
    def ask_and_fail_to_write(self, run_id: str) -> None:
        self.queue.give_back(self.queue.ask(self.offer(run_id)))

    @precondition(lambda self: self.active)
    @rule(data=st.data())
    def end_one(self, data: st.DataObject) -> None:
        self.end(data.draw(st.sampled_from(sorted(self.active, key=str))))

    @rule(session=sessions)
    def lose(self, session: str) -> None:
        self.silent.add(session)
        self.executors.forget(session)
        for key in [key for key, holder in self.active.items() if holder == session]:
            self.end(key)

    @rule(run_id=runs)
    def finish(self, run_id: str) -> None:
        for key in [key for key in self.active if key.run_id == run_id]:
            self.end(key)
        self.queue.withdraw(run_id)

    @invariant()
    def the_backlog_is_who_waits(self) -> None:
        waiting = {run_id for run_id, run in self.queue._runs.items() if run.waiting}
        assert self.queue.backlog._runs == waiting

    @rule()
    def settle(self) -> None:
        """Everybody asks until nobody is called any more: all who wait then have one true reason."""
        for run_id in RUNS:
            self.ask(run_id)
        while called := self.queue.due():
            for run_id in called:
                self.ask(run_id)
        free = {
            pool: any(one.free.slots > 0 for one in self.executors.candidates("local", pool))
            for pool in ("default", "gpu")
        }
        for run_id in RUNS:
            offered = self.offer(run_id)
            found = self.queue.explain(offered)
            assert set(found) == {one.step for one in offered.steps}
            for step, reason in found.items():
                pool = "gpu" if step == "gpu" else "default"
                names = self.names(run_id, step)
                match reason.reason:
                    case reasons.NO_EXECUTOR:
                        assert not self.executors.candidates("local", pool)
                    case reasons.LIMIT:
                        assert any(self.executors.usage.get(name, 0) >= BOUNDS[name] for name in names)
                    case reasons.NO_ROOM | reasons.TURN:
                        assert not free[pool], "work for everybody who may go and has room"
                        assert all(self.executors.usage.get(name, 0) < BOUNDS[name] for name in names)
                    case _:
                        raise AssertionError(reason)

    def names(self, run_id: str, step: str) -> list[str]:
        """Under which limits an attempt is."""
        workspace, workflow, _ = RUNS[run_id]
        pool = "gpu" if step == "gpu" else "default"
        return [one for one in counted(run_id, workspace, workflow, "local", pool, step) if one in BOUNDS]

    @invariant()
    def no_limit_is_exceeded(self) -> None:
        for name, maximum in BOUNDS.items():
            assert self.executors.usage.get(name, 0) <= maximum

    @invariant()
    def no_executor_has_more_than_it_can(self) -> None:
        holders = Counter(self.active.values())
        for pool in ("default", "gpu"):
            for one in self.executors.candidates("local", pool):
                assert 0 <= one.free.slots <= one.total.slots - holders[one.session]

    @invariant()
    def all_that_is_active_is_counted(self) -> None:
        counts = Counter(name for key in self.active for name in self.names(key.run_id, key.step))
        for name, count in counts.items():
            assert self.executors.usage[name] >= count

    def teardown(self) -> None:
        """When all runs have gone, nothing is taken any more."""
        for run_id in RUNS:
            self.finish(run_id)
        assert self.executors.usage == {}
        assert self.queue.due() == ()
        for pool in ("default", "gpu"):
            for one in self.executors.candidates("local", pool):
                assert one.free == one.total


TestQueueing = Queueing.TestCase
TestQueueing.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
