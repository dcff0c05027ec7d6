"""The queue: which ready attempt of which run gets which executor, and why the others wait.

One per scheduler, over all the runs that it owns; no I/O and no clock, so every call is quick and returns at
once. The rules are in `policy`; here is what was handed out and who waits.

How an owner uses it:

- On every write of a run, after its commands were decided and before the append:
  `grants = queue.ask(offer_of(state, now, queue.basis(run_id)))`. What is granted is the run's from that
  moment; append the `StepScheduled` of the grants with the same write. What is not granted waits here. When
  nobody else waits and there is room, a run gets everything at once: one commit.
- The append failed: `queue.give_back(grants)`, then load and ask again.
- An attempt has ended: `queue.ended(session, key)`. First when its report arrives, before it is decided on,
  so that the same write may use the slot again; and once more after the commit for every attempt that the
  write ended (time-outs, lost sessions). Twice does no harm.
- A run was loaded from the ledger, or loaded again after a conflict: `queue.adopt(state)`, before anything is
  asked.
- A run ended, or another scheduler owns it now: `queue.withdraw(run_id)`.
- After any of these, and after a heartbeat or the loss of a session: have every run of `queue.due()` write;
  it is its turn, something is kept for it, and its next `ask` gets it.
- `ExplainWaiting`: `queue.explain(offer_of(state, now))` gives a reason for every step of the offer, also for
  a run that another scheduler owns (then without knowing that one's queue).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from msgspec import Struct

from foldline.domain.run import RunState
from foldline.domain.spec import Resources, Step
from foldline.domain.work import AttemptKey
from foldline_scheduler import policy, reasons
from foldline_scheduler.backlog import Backlog
from foldline_scheduler.executors import Executors, Taken
from foldline_scheduler.limits import Limits, counted
from foldline_scheduler.offers import Offer, Ready, active_of, nothing_of
from foldline_scheduler.policy import DEFAULT_POOL
from foldline_scheduler.reasons import Reason
from foldline_scheduler.sizes import Flavors, Size, size_of
from foldline_scheduler.wanted import Demand, Line, Place, Wanted

_NO_LIMITS = Limits()


class Grant(Struct, frozen=True):
    """An attempt that goes to an executor session, whose room is taken for it already."""

    session: str
    key: AttemptKey


class _Run:
    """What the queue knows of one run."""

    def __init__(self) -> None:
        self.waiting: dict[str, Wanted] = {}
        self.kept: dict[str, Grant] = {}  # granted, and not yet asked for
        self.active: dict[AttemptKey, str] = {}  # with their sessions; what is kept is among them
        self.basis: RunState | None = None  # of the last offer; None when the next one must be whole


class Queue:
    """Not safe for several threads; every method is quick and does not wait."""

    def __init__(
        self,
        executors: Executors,
        limits: Limits = _NO_LIMITS,
        flavors: Flavors | None = None,
        backlog: Backlog | None = None,
    ) -> None:
        self.backlog = backlog or Backlog()
        self._executors = executors
        self._limits = limits.by_name
        self._weights = limits.weights
        self._flavors: Flavors = flavors or {}
        self._runs: dict[str, _Run] = {}
        self._lines: dict[Place, Line] = {}
        self._due: dict[str, None] = {}
        self._seen: int | None = None  # the executors' `changes` when there was last nothing more to hand out

    def basis(self, run_id: str) -> RunState | None:
        """The state whose offer stands: the next offer may be about what has changed since. None when it has
        to be whole.
        """
        run = self._runs.get(run_id)
        if run is None or not all(self._executors.is_here(one.session) for one in run.kept.values()):
            return None
        return run.basis

    def ask(self, offer: Offer) -> tuple[Grant, ...]:
        """What the run may start now; the rest of the offer waits. It replaces what the run offered
        before, as far as it is about that.
        """
        run = self._runs.get(offer.run_id)
        if run is None:
            if not offer.steps:
                return ()
            run = self._runs[offer.run_id] = _Run()
        self._drop_stale(run, offer)
        self._add(run, offer)
        run.basis = offer.state
        self.backlog.note(offer.workspace, offer.run_id, waits=bool(run.waiting))
        if run.waiting:
            self._hand_out()
        grants = tuple(run.kept.values())
        run.kept.clear()
        self._due.pop(offer.run_id, None)
        return grants

    def give_back(self, grants: Iterable[Grant]) -> None:
        """These were not written: their room is free again."""
        for one in grants:
            self.ended(one.session, one.key)
            if (run := self._runs.get(one.key.run_id)) is not None:
                run.basis = None

    def ended(self, session: str, key: AttemptKey) -> None:
        """The attempt takes nothing any more, whatever the next heartbeat says."""
        self._executors.release(session, key)
        if (run := self._runs.get(key.run_id)) is not None:
            run.active.pop(key, None)

    def adopt(self, state: RunState) -> None:
        """Take the run's active attempts, and no others of it, for what it has under way.

        Not while a write of the run is under way: its grants would be taken for mistakes.
        """
        run = self._runs.setdefault(state.created.run_id, _Run())
        active = {key: (declared, session) for declared, key, session in active_of(state)}
        for key, session in list(run.active.items()):
            if key not in active:
                self.ended(session, key)
        run.kept.clear()
        run.basis = None
        self._due.pop(state.created.run_id, None)
        about = nothing_of(state)
        for key, (declared, session) in active.items():
            self._hold(run, about, key, declared, session)

    def begun(self, state: RunState, name: str) -> None:
        """The step's newest attempt takes its room unasked: its executor has begun it by itself."""
        step = state.step(name)
        if not step.is_active:
            return
        run = self._runs.setdefault(state.created.run_id, _Run())
        attempt = step.attempts[-1]
        key = AttemptKey(run_id=state.created.run_id, step=name, attempt=attempt.number)
        self._hold(run, nothing_of(state), key, state.plan.step(name), attempt.executor)

    def _hold(self, run: _Run, about: Offer, key: AttemptKey, declared: Step, session: str) -> None:
        if key in run.active:
            return
        run.active[key] = session
        size = size_of(declared.resources, self._flavors, declared.ranks) or Size()
        names = _names(about, key.step, declared.resources.pool)
        self._executors.reserve(session, key, Taken(size, names))

    def withdraw(self, run_id: str) -> None:
        """Forget the run: what it waits for, what is kept for it, and what it has under way."""
        run = self._runs.pop(run_id, None)
        self._due.pop(run_id, None)
        if run is None:
            return
        for wanted in run.waiting.values():
            self._remove(wanted)
            self.backlog.note(wanted.demand.workspace, run_id, waits=False)
        kept = {grant.key for grant in run.kept.values()}
        for key, session in run.active.items():
            self._executors.release(session, key, is_over=key in kept)

    def due(self) -> tuple[str, ...]:
        """Runs for which something is kept: each has to ask. The same run is named again until it does."""
        self._hand_out()
        return tuple(self._due)

    def explain(self, offer: Offer) -> dict[str, Reason]:
        """For every step of the offer why it does not run yet."""
        run = self._runs.get(offer.run_id) or _Run()
        found: dict[str, Reason] = {}
        asked: dict[Place, list[Wanted]] = {}
        for one, wanted in self._wanted(offer, offer.steps):
            if wanted is None:
                found[one.step] = _unknown_flavor(one.resources)
            elif wanted.key in run.active:
                message = f"it is being given to executor {run.active[wanted.key]}"
                found[one.step] = Reason(reasons.STARTING, message)
            else:
                asked.setdefault(wanted.demand.place, []).append(run.waiting.get(one.step, wanted))
        for place, some in asked.items():
            candidates, usage = self._executors.candidates(*place), self._executors.usage
            closed = self._executors.closed(*place)
            why = policy.explain(
                self._waiting_at(place, some), candidates, usage, self._weights, some, closed
            )
            found |= {wanted.key.step: reason for wanted, reason in why.items()}
        return found

    def _waiting_at(self, place: Place, some: Iterable[Wanted]) -> dict[Demand, Collection[Wanted]]:
        """All who wait there, and `some`, whether or not they are among them."""
        line = self._lines.get(place)
        waiting: dict[Demand, Collection[Wanted]] = dict(line.groups) if line else {}
        more: dict[Demand, list[Wanted]] = {}
        for one in some:
            if one not in waiting.get(one.demand, ()):
                more.setdefault(one.demand, []).append(one)
        for demand, others in more.items():
            waiting[demand] = [*waiting.get(demand, ()), *others]
        return waiting

    # -- who waits ---------------------------------------------------------------------------------

    def _drop_stale(self, run: _Run, offer: Offer) -> None:
        """What the run does not offer any more, or what is kept for it on a session that has gone
        meanwhile.
        """
        if not run.waiting and not run.kept:
            return
        attempts = {one.step: one.attempt for one in offer.steps}
        about = run.waiting.keys() if offer.changed is None else run.waiting.keys() & offer.changed
        for step in list(about):
            wanted = run.waiting[step]
            if attempts.get(step) != wanted.key.attempt:
                del run.waiting[step]
                self._remove(wanted)
        for step, grant in list(run.kept.items()):
            is_asked = offer.changed is None or step in offer.changed
            is_over = is_asked and attempts.get(step) != grant.key.attempt
            if is_over or not self._executors.is_here(grant.session):
                del run.kept[step]
                self.ended(grant.session, grant.key)

    def _add(self, run: _Run, offer: Offer) -> None:
        new = [one for one in offer.steps if one.step not in run.waiting and one.step not in run.kept]
        for one, wanted in self._wanted(offer, new):
            if wanted is None:
                continue  # `explain` says so
            place = wanted.demand.place
            run.waiting[one.step] = wanted
            self._seen = None
            if place not in self._lines:
                self._lines[place] = Line(place)
            self._lines[place].add(wanted)

    def _remove(self, wanted: Wanted) -> None:
        """Who stands behind it may have a chance now."""
        self._seen = None
        self._lines[wanted.demand.place].remove(wanted)

    def _wanted(self, offer: Offer, steps: Iterable[Ready]) -> Iterator[tuple[Ready, Wanted | None]]:
        """The steps as they wait; None for an unknown flavor. Items of a map are alike: worked out once."""
        alike: dict[tuple[str, int, int, int], tuple[Demand | None, tuple[str, ...]]] = {}
        for one in steps:
            kind = (one.step.partition(".")[0], id(one.resources), one.max_active, one.ranks)
            if kind not in alike:
                names = _names(offer, one.step, one.resources.pool)
                alike[kind] = (self._demand(offer, one, names), names)
            demand, names = alike[kind]
            if demand is None:
                yield one, None
                continue
            key = AttemptKey(run_id=offer.run_id, step=one.step, attempt=one.attempt)
            age = (one.since, offer.run_id, one.place, one.attempt)
            yield one, Wanted(key, demand, age, names)

    def _demand(self, offer: Offer, one: Ready, names: Iterable[str]) -> Demand | None:
        size = size_of(one.resources, self._flavors, one.ranks)
        if size is None:
            return None
        bounds = []
        for name in names:
            kind, _, what = name.partition(" ")
            own = one.max_active if kind == "step" else offer.around.get(what, 0) if kind == "map" else 0
            limits = (self._limits.get(name, 0), own)
            if any(limits):
                bounds.append((name, min(limit for limit in limits if limit)))
        return Demand(
            region=offer.region,
            pool=one.resources.pool or DEFAULT_POOL,
            workspace=offer.workspace,
            priority=offer.priority,
            size=size,
            flavor=one.resources.flavor,
            image=one.image,
            is_unsafe=one.is_unsafe,
            bounds=tuple(bounds),
        )

    # -- who goes ----------------------------------------------------------------------------------

    def _hand_out(self) -> None:
        """Where anything has changed since the last time."""
        changes = self._executors.changes
        if not self._lines or self._seen == changes:
            return
        lines = [(line, self._executors.candidates(*place)) for place, line in self._lines.items()]
        for one in policy.hand_out(lines, self._executors.usage, self._weights):
            self._keep(one.wanted, one.session)
        self._seen = changes
        for line, _ in lines:
            if not line.groups:
                del self._lines[line.place]

    def _keep(self, wanted: Wanted, session: str) -> None:
        key = wanted.key
        run = self._runs[key.run_id]
        del run.waiting[key.step]
        if not run.waiting:
            self.backlog.note(wanted.demand.workspace, key.run_id, waits=False)
        run.kept[key.step] = Grant(session, key)
        run.active[key] = session
        self._executors.reserve(session, key, Taken(wanted.demand.size, wanted.names))
        self._due[key.run_id] = None


def _names(offer: Offer, step: str, pool: str) -> tuple[str, ...]:
    pool = pool or DEFAULT_POOL
    return counted(offer.run_id, offer.workspace, offer.workflow, offer.region, pool, step)


def _unknown_flavor(resources: Resources) -> Reason:
    message = f"this installation has no flavor {resources.flavor}"
    return Reason(reasons.UNKNOWN_FLAVOR, message)
