"""Stream workspace-<name>: the tenant boundary."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.registry_events import WorkspaceCreated
from foldline.domain.run_events import Event
from foldline_registry.aggregates.state import State, folding, misplaced


class WorkspaceState(State, frozen=True, kw_only=True):
    workspace: str
    title: str = ""


def _evolve(state: WorkspaceState | None, event: Event, _at: datetime) -> WorkspaceState:
    if state is None and isinstance(event, WorkspaceCreated):
        return WorkspaceState(workspace=event.workspace, title=event.title)
    raise misplaced(state, event)


evolve = folding(_evolve)


def create(state: WorkspaceState | None, *, workspace: str, title: str) -> Sequence[Event]:
    if state is not None:
        raise FoldlineError(
            Kind.ALREADY_EXISTS,
            "WORKSPACE_EXISTS",
            f"there is a workspace {workspace} already",
            workspace=workspace,
        )
    return [WorkspaceCreated(workspace=workspace, title=title)]


def require(state: WorkspaceState | None, workspace: str) -> WorkspaceState:
    if state is None:
        raise FoldlineError(
            Kind.NOT_FOUND, "WORKSPACE_NOT_FOUND", f"there is no workspace {workspace}", workspace=workspace
        )
    return state
