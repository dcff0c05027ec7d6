"""The queue: which ready attempt of which run gets which executor, and why the others wait.

One per scheduler, over all the runs that it owns; no I/O and no clock, so every call is quick and returns at
once. The rules are in `policy`; here is what was handed out and who waits.

How an owner uses it:

- On every write of a run, after its commands were decided and before the append:
  `grants = queue.ask(offer_of(state, now))`. What is granted is the run's from that moment; append the
  `StepScheduled` of the grants with the same write. What is not granted waits here. When nobody else waits and
  there is room, a run gets everything at once: one commit.
- The append failed: `queue.give_back(grants)`, then load and ask again.
- An attempt has ended: `queue.ended(session, key)`. First when its report arrives, before it is decided on, so that
  the same write may use the slot again; and once more after the commit for every attempt that the write ended
  (time-outs, lost sessions). Twice does no harm.
- A run was loaded from the ledger, or loaded again after a conflict: `queue.adopt(state)`, before anything is asked.
- A run ended, or another scheduler owns it now: `queue.withdraw(run_id)`.
- After any of these, and after a heartbeat or the loss of a session: have every run of `queue.due()` write; it is its
  turn, something is kept for it, and its next `ask` gets it.
- `ExplainWaiting`: `queue.explain(offer_of(state, now))` gives a reason for every step of the offer, also for a
  run that another scheduler owns (then without knowing that one's queue).
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from foldline.domain.run import RunState
from foldline.domain.work import AttemptKey
from foldline_scheduler.executors import Executors
from foldline_scheduler.limits import Limits
from foldline_scheduler.offers import Offer
from foldline_scheduler.reasons import Reason
from foldline_scheduler.sizes import Flavors


class Grant(Struct, frozen=True):
    """An attempt that goes to an executor session, whose room is taken for it already."""

    session: str
    key: AttemptKey


class Queue:
    """Not safe for several threads; every method is quick and does not wait."""

    def __init__(
        self, executors: Executors, limits: Limits | None = None, flavors: Flavors | None = None
    ) -> None:
        raise NotImplementedError

    def ask(self, offer: Offer) -> tuple[Grant, ...]:
        """What the run may start now; the rest of the offer waits. It replaces what the run offered before."""
        raise NotImplementedError

    def give_back(self, grants: Iterable[Grant]) -> None:
        """These were not written: their room is free again."""
        raise NotImplementedError

    def ended(self, session: str, key: AttemptKey) -> None:
        """The attempt takes nothing any more, whatever the next heartbeat says."""
        raise NotImplementedError

    def adopt(self, state: RunState) -> None:
        """Take the run's active attempts, and no others of it, for what it has under way."""
        raise NotImplementedError

    def withdraw(self, run_id: str) -> None:
        """Forget the run: what it waits for, what is kept for it, and what it has under way."""
        raise NotImplementedError

    def due(self) -> tuple[str, ...]:
        """Runs for which something is kept: each has to ask. The same run is named again until it does."""
        raise NotImplementedError

    def explain(self, offer: Offer) -> dict[str, Reason]:
        """For every step of the offer why it does not run yet."""
        raise NotImplementedError
