"""A decision in the making: the events so far, and the state after them; and how a command is refused."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from foldline.domain import run_events as ev
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.evolve import evolve
from foldline.domain.run import RunState, StepState
from foldline.domain.spec import Step


class Refused(FoldlineError):
    """The command is against a rule in this state; the message names the rule."""

    def __init__(self, reason: str, message: str, kind: Kind = Kind.PRECONDITION) -> None:
        super().__init__(kind, reason, message)


class Decision:
    """Events as they are decided, and the state after them."""

    def __init__(self, state: RunState, now: datetime, events: Iterable[ev.RunEvent] = ()) -> None:
        self.state = state
        self.now = now
        self.events = list(events)

    def add(self, event: ev.RunEvent) -> None:
        self.state = evolve(self.state, event, self.now)
        self.events.append(event)

    def step(self, name: str) -> StepState:
        return self.state.step(name)

    def declared(self, name: str) -> Step:
        return self.state.plan.step(name)
