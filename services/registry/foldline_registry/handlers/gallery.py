"""The gallery: publishing, seeing, subscribing, importing.

Every question and command on an asset starts with `_visible`: for a workspace that may not see it, it is not
there.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from foldline.domain import names
from foldline.domain.registry_events import ImportSource
from foldline_registry import pages, streams
from foldline_registry.aggregates import asset as assets
from foldline_registry.aggregates import subscription as subscriptions
from foldline_registry.aggregates import workflow as workflows
from foldline_registry.aggregates.asset import AssetState
from foldline_registry.aggregates.release import ReleaseState, Summary
from foldline_registry.aggregates.subscription import SubscriptionState
from foldline_registry.aggregates.workflow import WorkflowState
from foldline_registry.handlers import texts
from foldline_registry.handlers.lookups import Lookups
from foldline_registry.ledger import Ledger
from foldline_registry.views.reads import Views

#: Assets carry the texts of their agreements, so fewer of them fit into one message.
LARGEST_PAGE = 100

Shown = tuple[AssetState, bool]
"""An asset, and whether the asking workspace has a subscription."""


class Gallery:
    def __init__(self, ledger: Ledger, lookups: Lookups, views: Views) -> None:
        self._ledger = ledger
        self._lookups = lookups
        self._views = views

    async def publish(self, workflow: str, draft: assets.Draft) -> Shown:
        """A version of an asset from a release of the workflow; the saved configuration stays at home."""
        texts.title(draft.title)
        texts.notes(draft.notes)
        publisher = draft.publisher
        state = await self._lookups.workflow(publisher, workflow)
        release = await self._lookups.release(workflows.chosen_release(state, draft.release))
        name = names.asset(draft.asset or workflow)
        complete = msgspec.structs.replace(draft, asset=name, release=release.release)
        asset, _ = await self._ledger.execute(
            streams.asset(publisher, name),
            assets.evolve,
            lambda state: assets.publish(state, complete, default_title=release.title),
            workspace=publisher,
        )
        return asset, await self._is_subscribed(publisher, asset)

    async def set_visibility(
        self, publisher: str, name: str, *, visibility: str, workspaces: Sequence[str]
    ) -> Shown:
        stream = streams.asset(names.workspace(publisher), names.asset(name))
        asset, _ = await self._ledger.execute(
            stream,
            assets.evolve,
            lambda state: assets.set_visibility(
                assets.require_visible(state, publisher, name, publisher), visibility, workspaces
            ),
            workspace=publisher,
        )
        return asset, await self._is_subscribed(publisher, asset)

    async def list(self, workspace: str, *, query: str, page_size: int, page_token: str) -> pages.Page[Shown]:
        words = query.replace("\0", " ").casefold().split()
        asked = ["assets", names.workspace(workspace), *words]
        publisher, name = pages.decode(page_token, asked, keys=2)
        size = pages.size(page_size, LARGEST_PAGE)
        found = await self._views.assets(workspace, words=words, after=(publisher, name), limit=size + 1)
        shown = found[:size]
        token = ""
        if len(found) > size:
            last = shown[-1][0]
            token = pages.encode(asked, [last.publisher, last.asset])
        return pages.Page(shown, token)

    async def get(self, workspace: str, publisher: str, name: str) -> tuple[AssetState, bool, ReleaseState]:
        """With the newest version's release."""
        asset = await self._visible(workspace, publisher, name)
        subscribed = await self._is_subscribed(workspace, asset)
        return asset, subscribed, await self._lookups.release(asset.newest.release)

    async def subscribe(
        self, workspace: str, publisher: str, name: str, *, accept: Sequence[str]
    ) -> SubscriptionState:
        await self._lookups.workspace(workspace)
        asset = await self._visible(workspace, publisher, name)
        subscription, _ = await self._ledger.execute(
            streams.subscription(workspace, publisher, name),
            subscriptions.evolve,
            lambda state: subscriptions.subscribe(state, asset=asset, workspace=workspace, accept=accept),
            workspace=workspace,
        )
        return subscription

    async def unsubscribe(self, workspace: str, publisher: str, name: str) -> None:
        """Also from an asset that is not visible any more."""
        stream = streams.subscription(
            names.workspace(workspace), names.workspace(publisher), names.asset(name)
        )
        await self._ledger.execute(
            stream,
            subscriptions.evolve,
            lambda state: subscriptions.unsubscribe(
                state, workspace=workspace, publisher=publisher, asset=name
            ),
            workspace=workspace,
        )

    async def subscriptions(self, workspace: str) -> Sequence[SubscriptionState]:
        return await self._views.subscriptions(names.workspace(workspace))

    async def import_asset(
        self, workspace: str, publisher: str, name: str, *, version: str, workflow: str, region: str
    ) -> tuple[WorkflowState, Summary]:
        """An independent workflow of a version: created and released by one append, so never by half."""
        await self._lookups.workspace(workspace)
        asset = await self._visible(workspace, publisher, name)
        published = assets.require_version(asset, version)
        subscriptions.require_right(
            await self._subscription(workspace, asset), asset=asset, workspace=workspace
        )
        chosen = names.workflow(workflow or name)
        source = ImportSource(publisher=publisher, asset=name, version=published.version)
        place = names.region(region or "local")
        state, _ = await self._ledger.execute(
            streams.workflow(workspace, chosen),
            workflows.evolve,
            lambda state: workflows.import_asset(
                state,
                workspace=workspace,
                workflow=chosen,
                region=place,
                source=source,
                release=published.release,
            ),
            workspace=workspace,
        )
        return state, await self._lookups.release(published.release)

    async def _visible(self, workspace: str, publisher: str, name: str) -> AssetState:
        stream = streams.asset(names.workspace(publisher), names.asset(name))
        state = await self._ledger.load(stream, assets.evolve)
        return assets.require_visible(state, publisher, name, names.workspace(workspace))

    async def _subscription(self, workspace: str, asset: AssetState) -> SubscriptionState | None:
        stream = streams.subscription(workspace, asset.publisher, asset.asset)
        return await self._ledger.load(stream, subscriptions.evolve)

    async def _is_subscribed(self, workspace: str, asset: AssetState) -> bool:
        subscription = await self._subscription(workspace, asset)
        return subscription is not None and subscription.is_active
