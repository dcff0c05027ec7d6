"""Runs told into a ledger as a scheduler would write them, for tests of who reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from tests.unit.domain.graphs import Game, function, graph

from foldline.chassis.clock import new_id
from foldline.domain.run_events import RunCreated, RunEvent
from foldline.domain.spec import Graph
from foldline.eventstore import facts
from foldline.eventstore.port import NO_STREAM, EventStore, Head


def wide(steps: int) -> Graph:
    """A graph of so many steps that all may run at once."""
    return graph(*(function(f"s{number}") for number in range(steps)))


class Story:
    """A run played by hand; what was played since is appended to the ledger by `tell`."""

    def __init__(
        self,
        store: EventStore,
        declared: Graph | None = None,
        *,
        workspace: str = "lab",
        workflow: str = "digits",
        run_id: str = "",
        **parameters: Any,
    ) -> None:
        self.run_id = run_id or new_id()
        self.game = Game(declared or graph(function("a"), function("b", "a")), parameters)
        self.head: Head = NO_STREAM
        self._store = store
        self._workspace = workspace
        self._workflow = workflow

    @property
    def stream(self) -> str:
        return f"run-{self.run_id}"

    @property
    def version(self) -> int:
        return self.head.version

    async def tell(self) -> Story:
        meta = facts.Meta(actor="ada", workspace=self._workspace, correlation="c1")
        for event, at in self._untold():
            new = facts.new_events([self._own(event)], meta, at)
            self.head = await self._store.append(self.stream, self.head, new)
        return self

    async def tell_at_once(self) -> Story:
        """In one append, as many events at the time of the first."""
        meta = facts.Meta(actor="ada", workspace=self._workspace)
        untold = self._untold()
        events = facts.new_events([self._own(event) for event, _ in untold], meta, untold[0][1])
        self.head = await self._store.append(self.stream, self.head, events)
        return self

    async def finish(self, *, at_once: bool = False, value: Any = None) -> Story:
        """Let everything that is left succeed, and tell it."""
        while not self.game.state.is_final:
            self.game.wait(1)
            self.game.schedule()
            for step in self.game.state.steps:
                if step.is_active:
                    self.game.succeed(step.name, value or {"step": step.name})
        return await (self.tell_at_once() if at_once else self.tell())

    def _untold(self) -> Sequence[tuple[RunEvent, datetime]]:
        return self.game.history[self.head.version :]

    def _own(self, event: RunEvent) -> RunEvent:
        if isinstance(event, RunCreated):
            return replace(event, run_id=self.run_id, workspace=self._workspace, workflow=self._workflow)
        return event
