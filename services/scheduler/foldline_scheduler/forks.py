"""Runs made from earlier ones: what they would do, and their first event.

A plan is made by pure rules (`domain.forecast`), which ask for lists in the artifact store and for what the
declared cache has. So it is made again with what it lacked, until it lacks nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
from foldline.domain import forecast
from foldline.domain.artifacts import Item
from foldline.domain.errors import FoldlineError
from foldline.domain.fork import Code, Edits, fork
from foldline.domain.outlook import PlannedStep
from foldline.domain.relations import Reuse
from foldline.domain.run import RunState
from foldline.domain.run_events import RunCreated
from foldline.domain.values import artifact_of
from foldline.execution.lists import Lists
from foldline.wire import messages
from foldline_scheduler.lineages import Lineages
from foldline_scheduler.releases import Releases
from foldline_scheduler.reuse import ReuseTable, reuse_row

CURRENT = "current"

MOST_ITEMS = 5_000
"""A plan looks at every item of a map; longer lists would keep the scheduler from its work."""

MOST_ROUNDS = 20
"""A plan is made again so often at most, behind what the cache and lists gave."""


class Forks:
    def __init__(self, releases: Releases, lineages: Lineages, lists: Lists, table: ReuseTable) -> None:
        self._releases = releases
        self._lineages = lineages
        self._lists = lists
        self._table = table

    async def created(self, origin: RunState, wanted: pb.Fork, run_id: str, priority: int = 0) -> RunCreated:
        """The first event of the new run. Raises what is wrong with the wish, by name."""
        code = await self._code(origin, wanted.release)
        return fork(origin, edits_of(wanted), run_id=run_id, code=code, priority=priority)

    async def plan(self, origin: RunState, wanted: pb.Fork) -> tuple[PlannedStep, ...]:
        """What the new run would do, step by step."""
        created = await self.created(origin, wanted, "plan")
        index = await self._lineages.index(created)
        at_hand = _AtHand(created.workspace)
        for _ in range(MOST_ROUNDS):
            planned = forecast.plan(created, index, at_hand.items, at_hand.kept)
            if not await at_hand.fetch(self._lists, self._table):
                break
        return planned

    async def _code(self, origin: RunState, release: str) -> Code | None:
        if not release or release == origin.created.release:
            return None
        mine = origin.created
        digest = "" if release == CURRENT else release
        return await self._releases.find(mine.workspace, mine.workflow, digest)


def edits_of(wanted: pb.Fork) -> Edits:
    return Edits(
        values=messages.from_struct(wanted.values),
        again=tuple(getattr(wanted, "from")),
        whole=wanted.whole,
        allow=tuple(wanted.allow),
        outputs={step: messages.from_struct(given) for step, given in wanted.outputs.items()},
    )


class _AtHand:
    """What was fetched for a plan, and what it asked for in vain."""

    def __init__(self, workspace: str) -> None:
        self._workspace = workspace
        self._items: dict[str, Sequence[Item] | None] = {}
        self._kept: dict[str, Reuse | None] = {}
        self._lists_lacking: dict[str, tuple[RunState, str]] = {}
        self._keys_lacking: set[str] = set()

    def items(self, state: RunState, step: str) -> Sequence[Item] | None:
        declared = state.plan.step(step)
        assert declared.map is not UNSET
        artifact = artifact_of(state, declared.inputs[declared.map.over])
        assert artifact is not None, "a JSON value is inline"
        if artifact.digest not in self._items:
            self._lists_lacking[artifact.digest] = (state, step)
        return self._items.get(artifact.digest)

    def kept(self, key: str) -> Reuse | None:
        if key not in self._kept:
            self._keys_lacking.add(key)
        return self._kept.get(key)

    async def fetch(self, lists: Lists, table: ReuseTable) -> bool:
        """Get what was lacking; is there anything new to plan with?"""
        is_new = False
        for digest, (state, step) in self._lists_lacking.items():
            items = self._items[digest] = await _short_list(lists, state, step)
            is_new = is_new or items is not None
        for key in self._keys_lacking:
            entry = await table.find(reuse_row(self._workspace, key))
            reuse = self._kept[key] = None if entry is None else entry.reuse
            is_new = is_new or reuse is not None
        self._lists_lacking.clear()
        self._keys_lacking.clear()
        return is_new


async def _short_list(lists: Lists, state: RunState, step: str) -> Sequence[Item] | None:
    """None for a list that is long or cannot be read: the plan then says nothing of its items."""
    try:
        items = await lists.items(state, step)
    except FoldlineError:
        return None
    return items if len(items) <= MOST_ITEMS else None
