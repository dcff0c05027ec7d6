"""What lists ask of the read models."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from foldline.domain.errors import FoldlineError, Kind
from foldline.pg import sql
from foldline.pg.connect import Pool
from foldline.pg.errors import is_unavailable
from foldline_registry.aggregates.asset import AssetState
from foldline_registry.aggregates.release import Summary
from foldline_registry.aggregates.subscription import SubscriptionState
from foldline_registry.aggregates.workflow import WorkflowState
from foldline_registry.aggregates.workspace import WorkspaceState

_PACKAGE = "foldline_registry"
_PING = sql.load(_PACKAGE, "load_position")
_WORKSPACES = sql.load(_PACKAGE, "list_workspaces")
_WORKFLOWS = sql.load(_PACKAGE, "list_workflows")
_RELEASES = sql.load(_PACKAGE, "list_releases")
_ASSETS = sql.load(_PACKAGE, "list_assets")
_SUBSCRIPTIONS = sql.load(_PACKAGE, "list_subscriptions")


class Views:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def check(self) -> None:
        """Raises while the database cannot be asked."""
        with translated():
            await self._pool.fetchval(_PING)

    async def workspaces(self, names: Collection[str] | None) -> list[WorkspaceState]:
        """By name; those of `names` that exist, or all."""
        with translated():
            rows = await self._pool.fetch(_WORKSPACES, None if names is None else list(names))
        return [msgspec.json.decode(row["state"], type=WorkspaceState) for row in rows]

    async def workflows(
        self, workspace: str, *, after: str, limit: int
    ) -> list[tuple[WorkflowState, Summary]]:
        """By name, each with its current release."""
        with translated():
            rows = await self._pool.fetch(_WORKFLOWS, workspace, after, limit)
        return [
            (
                msgspec.json.decode(row["workflow"], type=WorkflowState),
                msgspec.json.decode(row["release"], type=Summary),
            )
            for row in rows
        ]

    async def releases(self, digests: Collection[str]) -> dict[str, Summary]:
        """By digest."""
        with translated():
            rows = await self._pool.fetch(_RELEASES, list(digests))
        found = [msgspec.json.decode(row["state"], type=Summary) for row in rows]
        return {one.release: one for one in found}

    async def assets(
        self, workspace: str, *, words: Sequence[str], after: tuple[str, str], limit: int
    ) -> list[tuple[AssetState, bool]]:
        """What `workspace` may see, by publisher and name; and whether it has a subscription."""
        with translated():
            rows = await self._pool.fetch(_ASSETS, workspace, list(words), *after, limit)
        return [(msgspec.json.decode(row["state"], type=AssetState), row["subscribed"]) for row in rows]

    async def subscriptions(self, workspace: str) -> list[SubscriptionState]:
        """Those in force, by publisher and asset."""
        with translated():
            rows = await self._pool.fetch(_SUBSCRIPTIONS, workspace)
        return [msgspec.json.decode(row["state"], type=SubscriptionState) for row in rows]


@contextmanager
def translated() -> Iterator[None]:
    """The driver's errors that mean "not now" as ours."""
    try:
        yield
    except Exception as error:
        if not is_unavailable(error):
            raise
        raise FoldlineError(
            Kind.UNAVAILABLE, "VIEWS_UNAVAILABLE", f"the registry's database cannot be reached: {error}"
        ) from error
