"""Releases: made from a draft, stored by digest, listed per workflow."""

from __future__ import annotations

import asyncio

from foldline.artifacts.port import ArtifactStore, StoreUnavailableError
from foldline.chassis import observe
from foldline.domain import names
from foldline.domain import releases as digests
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.registry_events import ReleaseCreated
from foldline_registry import drafts, streams
from foldline_registry.aggregates import release as releases
from foldline_registry.aggregates import workflow as workflows
from foldline_registry.aggregates.release import ReleaseState, Summary
from foldline_registry.aggregates.workflow import WorkflowState
from foldline_registry.drafts import Draft
from foldline_registry.handlers.lookups import Lookups
from foldline_registry.ledger import Ledger
from foldline_registry.views.reads import Views


class Releases:
    def __init__(self, ledger: Ledger, lookups: Lookups, views: Views, artifacts: ArtifactStore) -> None:
        self._ledger = ledger
        self._lookups = lookups
        self._views = views
        self._artifacts = artifacts

    async def create(
        self, workspace: str, draft: Draft, *, region: str
    ) -> tuple[ReleaseState, WorkflowState, bool]:
        """Check, store, make the release, point the workflow at it; True where that changed the workflow.

        In this order, so that a crash leaves behind only what nothing points at, and a repeat completes it.
        """
        await self._lookups.workspace(workspace)
        names.region(region or "local")
        with observe.span("registry.check_draft", workflow=draft.graph.name):
            await asyncio.to_thread(drafts.check, draft)
        release = await self._store(workspace, draft)
        name = draft.graph.name
        state, changed = await self._ledger.execute(
            streams.workflow(workspace, name),
            workflows.evolve,
            lambda state: workflows.release(
                state,
                workspace=workspace,
                workflow=name,
                region=region,
                release=release.release,
                parameters=release.parameters,
            ),
            workspace=workspace,
        )
        return release, state, changed

    async def get(self, workspace: str, workflow: str, release: str) -> tuple[ReleaseState, WorkflowState]:
        """A release of this workflow, the current one for ""."""
        state = await self._lookups.workflow(workspace, workflow)
        chosen = workflows.chosen_release(state, names.digest(release) if release else "")
        return await self._lookups.release(chosen), state

    async def list(self, workspace: str, workflow: str) -> list[tuple[Summary, int]]:
        """Newest first, each with its number."""
        state = await self._lookups.workflow(workspace, workflow)
        known = await self._views.releases([one.release for one in state.releases])
        return [(known[one.release], one.number) for one in reversed(state.releases) if one.release in known]

    async def _store(self, workspace: str, draft: Draft) -> ReleaseState:
        bundle = await self._put(draft.bundle) if draft.bundle else ""
        environment = await self._put(digests.canonical(draft.environment))
        digest = digests.digest_of(draft.graph, bundle=bundle, environment=environment, docs=draft.docs)
        created = ReleaseCreated(
            release=digest, graph=draft.graph, bundle=bundle, environment=environment, docs=draft.docs
        )
        state, _ = await self._ledger.execute(
            streams.release(digest),
            releases.evolve,
            lambda state: releases.create(state, created),
            workspace=workspace,
            wait=False,
        )
        return state

    async def _put(self, content: bytes) -> str:
        try:
            return await self._artifacts.put_bytes(content)
        except StoreUnavailableError as error:
            raise FoldlineError(
                Kind.UNAVAILABLE, "ARTIFACTS_UNAVAILABLE", f"the artifact store does not answer: {error}"
            ) from error
