"""Tests of a decider as sentences: given these events, when this command, then these events.

    given(created, scheduled).when(ReceiveReport(report)).then(AttemptStarted(...))
    given(created, completed).when(RequestStop()).refused("RUN_ENDED")

By default the decider is a run's; any pair of `decide` and `evolve` with the same shape will do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from foldline.domain import decide as run_decide
from foldline.domain import run
from foldline.domain.errors import FoldlineError
from foldline.domain.evolve import evolve
from foldline.testing.clock import ManualClock

S = TypeVar("S")

#: decide(state or None, command, now) -> events; raises FoldlineError to refuse.
Decide = Callable[[S | None, Any, Any], Sequence[Any]]
#: evolve(state or None, event, at) -> state
Evolve = Callable[[S | None, Any, Any], S]


class Scenario(Generic[S]):
    """A history, and what a command makes of it. Each step of the clock is one second."""

    def __init__(self, decide: Decide[S], evolve: Evolve[S], clock: ManualClock | None = None) -> None:
        self._decide = decide
        self._evolve = evolve
        self.clock = clock or ManualClock()
        self.state: S | None = None
        self.events: tuple[Any, ...] = ()
        self.refusal: FoldlineError | None = None

    def given(self, *events: Any) -> Scenario[S]:
        """These events are in the history."""
        for event in events:
            self.state = self._evolve(self.state, event, self.clock.now())
            self.clock.advance(1)
        return self

    def when(self, command: Any) -> Scenario[S]:
        """This command comes. What it leads to becomes part of the history."""
        self.events, self.refusal = (), None
        before = self.state
        try:
            self.events = tuple(self._decide(self.state, command, self.clock.now()))
        except FoldlineError as error:
            self.refusal = error
            assert self.state == before, "a refusal changed the state"
            return self
        return self.given(*self.events)

    def then(self, *events: Any) -> Scenario[S]:
        """Exactly these events followed."""
        assert self.refusal is None, f"refused: {self.refusal} ({self.refusal.reason})"
        assert self.events == events
        return self

    def then_types(self, *names: str) -> Scenario[S]:
        """Events of exactly these types followed; where their data is not the point."""
        assert self.refusal is None, f"refused: {self.refusal} ({self.refusal.reason})"
        assert tuple(type(event).__name__ for event in self.events) == names
        return self

    def refused(self, reason: str) -> Scenario[S]:
        """The command was refused for this reason, and nothing changed."""
        assert self.refusal is not None, f"not refused, but answered with {self.events}"
        assert self.refusal.reason == reason
        return self


def given(*events: Any) -> Scenario[run.RunState]:
    """A run with these events in its history."""
    scenario: Scenario[run.RunState] = Scenario(run_decide.decide, evolve)
    return scenario.given(*events)
