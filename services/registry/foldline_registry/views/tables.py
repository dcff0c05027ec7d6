"""One table per kind of stream: how its rows are folded, found and stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from foldline.pg import sql
from foldline_registry.aggregates import asset, release, subscription, workflow, workspace
from foldline_registry.aggregates.asset import AssetState
from foldline_registry.aggregates.release import Summary
from foldline_registry.aggregates.state import Evolve, State
from foldline_registry.aggregates.subscription import SubscriptionState
from foldline_registry.aggregates.workflow import WorkflowState
from foldline_registry.aggregates.workspace import WorkspaceState

_PACKAGE = "foldline_registry"


class Table(NamedTuple):
    """The state's class varies from table to table, hence Any; `state` is what tells."""

    state: type[State]
    evolve: Evolve[Any]
    columns: Callable[[Any], tuple[object, ...]]  # $3, $4, … of the statement that saves
    load: str
    save: str


def _table(category: str, state: type[State], evolve: Evolve[Any], columns: Callable[[Any], Any]) -> Table:
    load, save = (sql.load(_PACKAGE, f"{verb}_{category}") for verb in ("load", "save"))
    return Table(state, evolve, columns, load, save)


def _workspace(state: WorkspaceState) -> tuple[object, ...]:
    return (state.workspace,)


def _release(state: Summary) -> tuple[object, ...]:
    return (state.release,)


def _workflow(state: WorkflowState) -> tuple[object, ...]:
    return (state.workspace, state.workflow, state.release)


def _asset(state: AssetState) -> tuple[object, ...]:
    words = f"{state.publisher} {state.asset} {state.title}".casefold()
    # Postgres stores every character in text but this one.
    return (
        state.publisher,
        state.asset,
        state.visibility,
        list(state.workspaces),
        words.replace("\0", " "),
    )


def _subscription(state: SubscriptionState) -> tuple[object, ...]:
    return (state.workspace, state.publisher, state.asset, state.is_active)


TABLES: Mapping[str, Table] = {
    "workspace": _table("workspace", WorkspaceState, workspace.evolve, _workspace),
    "release": _table("release", Summary, release.summarise, _release),
    "workflow": _table("workflow", WorkflowState, workflow.evolve, _workflow),
    "asset": _table("asset", AssetState, asset.evolve, _asset),
    "subscription": _table("subscription", SubscriptionState, subscription.evolve, _subscription),
}
"""By the category of the stream."""
