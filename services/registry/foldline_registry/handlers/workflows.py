"""Workflows of a workspace: configuration, and what a start would run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from foldline.domain import names
from foldline.domain.run_events import Event
from foldline.domain.spec import Json
from foldline_registry import pages, streams
from foldline_registry.aggregates import workflow as rules
from foldline_registry.aggregates.release import ReleaseState, Summary
from foldline_registry.aggregates.workflow import WorkflowState
from foldline_registry.handlers.lookups import Lookups
from foldline_registry.ledger import Ledger
from foldline_registry.views.reads import Views


class Resolved(msgspec.Struct, frozen=True):
    """What a start would run now."""

    workflow: WorkflowState
    release: ReleaseState
    parameters: dict[str, Json]


class Workflows:
    def __init__(self, ledger: Ledger, lookups: Lookups, views: Views) -> None:
        self._ledger = ledger
        self._lookups = lookups
        self._views = views

    async def get(self, workspace: str, workflow: str) -> tuple[WorkflowState, Summary]:
        state = await self._lookups.workflow(workspace, workflow)
        return state, await self._lookups.release(state.release)

    async def list(
        self, workspace: str, *, page_size: int, page_token: str
    ) -> pages.Page[tuple[WorkflowState, Summary]]:
        query = ["workflows", names.workspace(workspace)]
        (after,) = pages.decode(page_token, query, keys=1)
        size = pages.size(page_size)
        found = await self._views.workflows(workspace, after=after, limit=size + 1)
        shown = found[:size]
        token = pages.encode(query, [shown[-1][0].workflow]) if len(found) > size else ""
        return pages.Page(shown, token)

    async def configure(
        self, workspace: str, workflow: str, *, values: Mapping[str, Json], replace: bool
    ) -> tuple[WorkflowState, Summary]:
        """Check against the release that is the current one at the moment of the append."""
        while True:
            release = await self._lookups.release((await self._lookups.workflow(workspace, workflow)).release)
            try:
                state, _ = await self._ledger.execute(
                    streams.workflow(workspace, workflow),
                    rules.evolve,
                    lambda state, release=release: _configure(  # type: ignore[misc]  # bound per round
                        rules.require(state, workspace, workflow), release, values, replace
                    ),
                    workspace=workspace,
                )
            except _ReleaseMovedError:
                continue
            return state, release

    async def resolve(
        self, workspace: str, workflow: str, *, values: Mapping[str, Json], allow_missing: bool = False
    ) -> Resolved:
        state = await self._lookups.workflow(workspace, workflow)
        release = await self._lookups.release(state.release)
        chosen = rules.resolve(
            state, parameters=release.parameters, values=values, allow_missing=allow_missing
        )
        return Resolved(state, release, chosen)


class _ReleaseMovedError(Exception):
    """Another release became the current one meanwhile: check against that."""


def _configure(
    state: WorkflowState, release: ReleaseState, values: Mapping[str, Json], replace: bool
) -> Sequence[Event]:
    if state.release != release.release:
        raise _ReleaseMovedError
    return rules.configure(state, parameters=release.parameters, values=values, replace=replace)
