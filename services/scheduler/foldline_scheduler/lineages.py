"""What the runs behind a run did: their folds, and the index of attempts made of these (`domain.recall`).

Read from the ledger when the first step of a run asks, then kept: what these runs did before does not change.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import cast

from foldline.domain import recall
from foldline.domain import run_events as ev
from foldline.domain.evolve import fold
from foldline.domain.inner import child_id
from foldline.domain.relations import Parent
from foldline.domain.run import RunState
from foldline.eventstore import facts
from foldline.eventstore.port import EventStore
from foldline_scheduler.streams import run_stream

CACHED = 8
"""Indexes kept. An index is as large as the states of its runs."""


class Lineages:
    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._indexes: OrderedDict[tuple[object, ...], recall.Index] = OrderedDict()

    async def index(self, created: ev.RunCreated) -> recall.Index:
        """The index for a run that was made from others. Raises UNAVAILABLE."""
        key = _cache_key(created)
        if key in self._indexes:
            self._indexes.move_to_end(key)
            return self._indexes[key]
        found = recall.index(await self.states(created))
        self._indexes[key] = found
        while len(self._indexes) > CACHED:
            self._indexes.popitem(last=False)
        return found

    async def states(self, created: ev.RunCreated) -> list[RunState]:
        """The runs to look into, with the runs inside them, and those that they were made from."""
        states: dict[str, RunState] = {}
        queue = list(recall.lineage(created))
        for run_id in queue:
            if run_id in states:
                continue
            tree = await self._tree(run_id)
            states |= {one.created.run_id: one for one in tree}
            for one in tree:
                queue.extend(recall.lineage(one.created))
                queue.extend(_roots(recall.borrowed(one)))
        return list(states.values())

    async def _tree(self, run_id: str) -> list[RunState]:
        """A run and the runs inside it, of all attempts of its steps."""
        recorded = await self._store.read_stream(run_stream(run_id))
        if not recorded:
            return []
        history = [(cast("ev.RunEvent", facts.decode(one)), one.time) for one in recorded]
        found = [fold(history)]
        for event, _ in history:
            if isinstance(event, ev.ChildStarted):
                found += await self._tree(child_id(run_id, event.step, event.attempt, event.index))
        return found


def _roots(beginnings: Iterable[str]) -> list[str]:
    """Runs that were borrowed from, whole: more than is needed, and never too little."""
    return [beginning.partition(".")[0] for beginning in beginnings]


def _cache_key(created: ev.RunCreated) -> tuple[object, ...]:
    """Runs with the same key look into the same runs, at the same stage of these."""
    parent = created.parent
    stage = (parent.run_id, parent.step, parent.attempt) if isinstance(parent, Parent) else ()
    return (recall.lineage(created), stage)
