"""Runs with other runs inside them, played in memory and told into a ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from foldline.chassis.clock import new_id
from foldline.domain.commands import Command
from foldline.domain.run_events import RunCreated, RunEvent
from foldline.domain.spec import Graph, Output, Step, Wait
from foldline.domain.waits import outputs_of
from foldline.domain.work import Work
from foldline.eventstore import facts
from foldline.eventstore.port import NO_STREAM, EventStore, Head
from foldline.testing.world import Behave, World


def wait(name: str, kind: str, *, title: str = "", **options: Any) -> Step:
    asked = Wait(kind=kind, **options)
    outputs = tuple(msgspec.convert({"name": one, "type": type_}, Output) for one, type_ in outputs_of(asked))
    return Step(name=name, kind="wait", title=title, wait=asked, outputs=outputs)


def twice(work: Work) -> Mapping[str, Any]:
    """A function that doubles its input `x`, or gives its name."""
    given = work.inputs.get("x")
    return {"output": work.function.name if given is None else given.value * 2}  # type: ignore[operator]


class Tale:
    """A started run and all that are inside it. `tell` appends what happened since."""

    def __init__(
        self, store: EventStore, declared: Graph, *, behave: Behave = twice, run_id: str = "", **options: Any
    ) -> None:
        self.run_id = run_id or new_id()
        self.world = World(declared, behave=behave, run_id=self.run_id, **options)
        self._store = store
        self._heads: dict[str, Head] = {}

    async def run(self) -> Tale:
        """As far as it goes without a person."""
        self.world.run()
        return await self.tell()

    async def command(self, command: Command, run_id: str = "") -> Tale:
        self.world.command(command, run_id)
        return await self.tell()

    async def tell(self) -> Tale:
        meta = facts.Meta(actor="ada", workspace="lab")
        for run_id, history in list(self.world.histories.items()):
            head = self._heads.get(run_id, NO_STREAM)
            for event, at in history[head.version :]:
                head = await self._store.append(
                    f"run-{run_id}", head, facts.new_events([_own(event)], meta, at)
                )
            self._heads[run_id] = head
        return self


def _own(event: RunEvent) -> RunEvent:
    return replace(event, workspace="lab") if isinstance(event, RunCreated) else event
