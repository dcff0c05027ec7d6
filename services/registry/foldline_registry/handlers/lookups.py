"""Loading what several use cases start from, or refusing where it is not there."""

from __future__ import annotations

from collections import OrderedDict

from foldline.domain import names
from foldline_registry import streams
from foldline_registry.aggregates import release as releases
from foldline_registry.aggregates import workflow as workflows
from foldline_registry.aggregates import workspace as workspaces
from foldline_registry.aggregates.release import ReleaseState
from foldline_registry.aggregates.workflow import WorkflowState
from foldline_registry.aggregates.workspace import WorkspaceState
from foldline_registry.ledger import Ledger

_KEPT_RELEASES = 64


class Lookups:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._releases: OrderedDict[str, ReleaseState] = OrderedDict()

    async def workspace(self, name: str) -> WorkspaceState:
        state = await self._ledger.load(streams.workspace(names.workspace(name)), workspaces.evolve)
        return workspaces.require(state, name)

    async def workflow(self, workspace: str, name: str) -> WorkflowState:
        """Raises WORKFLOW_NOT_FOUND also for a workflow of another workspace: names are per workspace."""
        stream = streams.workflow(names.workspace(workspace), names.workflow(name))
        return workflows.require(await self._ledger.load(stream, workflows.evolve), workspace, name)

    async def release(self, digest: str) -> ReleaseState:
        """Releases never change, so the latest asked for are kept."""
        if digest in self._releases:
            self._releases.move_to_end(digest)
            return self._releases[digest]
        stream = streams.release(names.digest(digest))
        state = releases.require(await self._ledger.load(stream, releases.evolve), digest)
        self._releases[digest] = state
        if len(self._releases) > _KEPT_RELEASES:
            self._releases.popitem(last=False)
        return state
