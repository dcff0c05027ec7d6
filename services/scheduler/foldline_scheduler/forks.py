"""Runs made from earlier ones: what they would do, and their first event."""

from __future__ import annotations

from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
from foldline.domain import forecast
from foldline.domain.artifacts import Item
from foldline.domain.fork import Code, Edits, fork
from foldline.domain.outlook import PlannedStep
from foldline.domain.run import RunState
from foldline.domain.run_events import RunCreated
from foldline.wire import messages
from foldline_scheduler.lineages import Lineages
from foldline_scheduler.releases import Releases

CURRENT = "current"


class Forks:
    def __init__(self, releases: Releases, lineages: Lineages) -> None:
        self._releases = releases
        self._lineages = lineages

    async def created(self, origin: RunState, wanted: pb.Fork, run_id: str, priority: int = 0) -> RunCreated:
        """The first event of the new run. Raises what is wrong with the wish, by name."""
        code = await self._code(origin, wanted.release)
        return fork(origin, edits_of(wanted), run_id=run_id, code=code, priority=priority)

    async def plan(self, origin: RunState, wanted: pb.Fork) -> tuple[PlannedStep, ...]:
        """What the new run would do, step by step."""
        created = await self.created(origin, wanted, "plan")
        return forecast.plan(created, await self._lineages.index(created), _not_at_hand)

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


def _not_at_hand(_: RunState, __: str) -> list[Item] | None:
    """Lists in the artifact store are not read for a plan: it says that it does not know."""
    return None
