"""Stream workflow-<workspace>.<name>: the configurable thing with its releases and its saved values.

Invariant: the saved values always fit the current release. A new release under which some do not fit any more
drops those, as a fact of its own behind WorkflowReleased.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from foldline.domain import parameters as rules
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.registry_events import (
    ImportSource,
    WorkflowConfigured,
    WorkflowCreated,
    WorkflowReleased,
)
from foldline.domain.run_events import Event
from foldline.domain.spec import Json, Parameter
from foldline_registry.aggregates.state import State, folding, misplaced


class Released(msgspec.Struct, frozen=True):
    """A release of this workflow and its place among them; 1 is the first."""

    release: str
    number: int
    at: datetime


class WorkflowState(State, frozen=True, kw_only=True):
    workspace: str
    workflow: str
    region: str
    source: ImportSource | UnsetType = UNSET
    releases: tuple[Released, ...] = ()
    release: str = ""  # the current one
    values: dict[str, Json] = {}

    @property
    def number(self) -> int:
        """Of the current release; 0 before the first."""
        return self.number_of(self.release)

    def number_of(self, release: str) -> int:
        """0 where the release is not one of this workflow."""
        return next((one.number for one in self.releases if one.release == release), 0)


def _evolve(state: WorkflowState | None, event: Event, at: datetime) -> WorkflowState:
    match state, event:
        case None, WorkflowCreated():
            return WorkflowState(
                workspace=event.workspace, workflow=event.workflow, region=event.region, source=event.source
            )
        case WorkflowState(), WorkflowReleased():
            known = state.number_of(event.release) > 0
            added = () if known else (Released(event.release, event.number, at),)
            return msgspec.structs.replace(state, release=event.release, releases=(*state.releases, *added))
        case WorkflowState(), WorkflowConfigured():
            return msgspec.structs.replace(state, values=event.values)
        case _:
            raise misplaced(state, event)


evolve = folding(_evolve)


def release(
    state: WorkflowState | None,
    *,
    workspace: str,
    workflow: str,
    region: str,
    release: str,
    parameters: Sequence[Parameter],
) -> Sequence[Event]:
    """Make `release` the current one, and the workflow where there is none."""
    if state is None:
        return [
            WorkflowCreated(workspace=workspace, workflow=workflow, region=region or "local"),
            WorkflowReleased(release=release, number=1),
        ]
    if state.release == release:
        return []
    number = state.number_of(release) or len(state.releases) + 1
    released = WorkflowReleased(release=release, number=number)
    fitting, problems = rules.sort_out(parameters, state.values)
    return [released, WorkflowConfigured(values=fitting)] if problems else [released]


def configure(
    state: WorkflowState, *, parameters: Sequence[Parameter], values: Mapping[str, Json], replace: bool
) -> Sequence[Event]:
    """Save values of some parameters; null takes a saved value away. Raises INVALID_PARAMETERS."""
    saved = _over({} if replace else state.values, parameters, values)
    return [] if saved == state.values else [WorkflowConfigured(values=saved)]


def resolve(
    state: WorkflowState,
    *,
    parameters: Sequence[Parameter],
    values: Mapping[str, Json],
    allow_missing: bool = False,
) -> dict[str, Json]:
    """Every parameter with its value for a run: given, else saved, else default."""
    chosen = _over(state.values, parameters, values)
    if allow_missing:
        parameters = [one for one in parameters if one.name in chosen or not one.is_required]
    elif names := rules.missing(parameters, chosen):
        raise FoldlineError(
            Kind.PRECONDITION,
            "PARAMETERS_MISSING",
            f"workflow {state.workflow} needs values for {', '.join(names)}: configure them or give them "
            "at the start",
            workflow=state.workflow,
            missing=",".join(names),
        )
    return rules.check(parameters, chosen)


def import_asset(
    state: WorkflowState | None,
    *,
    workspace: str,
    workflow: str,
    region: str,
    source: ImportSource,
    release: str,
) -> Sequence[Event]:
    """A new workflow from an asset. Asking again for exactly what was just made answers a lost reply."""
    if state is None:
        return [
            WorkflowCreated(workspace=workspace, workflow=workflow, region=region, source=source),
            WorkflowReleased(release=release, number=1),
        ]
    untouched = (state.source, state.region, len(state.releases), state.values) == (source, region, 1, {})
    if untouched:
        return []
    raise FoldlineError(
        Kind.ALREADY_EXISTS,
        "WORKFLOW_EXISTS",
        f"workspace {workspace} has a workflow {workflow} already: import under another name",
        workspace=workspace,
        workflow=workflow,
    )


def require(state: WorkflowState | None, workspace: str, workflow: str) -> WorkflowState:
    if state is None:
        raise FoldlineError(
            Kind.NOT_FOUND,
            "WORKFLOW_NOT_FOUND",
            f"workspace {workspace} has no workflow {workflow}",
            workspace=workspace,
            workflow=workflow,
        )
    return state


def chosen_release(state: WorkflowState, release: str) -> str:
    """`release` where it is one of the workflow's, the current one for "". Raises RELEASE_NOT_FOUND."""
    if release and not state.number_of(release):
        raise FoldlineError(
            Kind.NOT_FOUND,
            "RELEASE_NOT_FOUND",
            f"workflow {state.workflow} has no release {release}",
            workflow=state.workflow,
            release=release,
        )
    return release or state.release


def _over(
    saved: Mapping[str, Json], parameters: Sequence[Parameter], values: Mapping[str, Json]
) -> dict[str, Json]:
    """`values` laid over `saved`, where null takes away."""
    given = rules.check_partial(parameters, {name: one for name, one in values.items() if one is not None})
    removed = {name for name, one in values.items() if one is None}
    _refuse_unknown(parameters, removed)
    return {name: one for name, one in {**saved, **given}.items() if name not in removed}


def _refuse_unknown(parameters: Sequence[Parameter], removed: set[str]) -> None:
    unknown = removed - {parameter.name for parameter in parameters}
    if unknown:
        rules.check_partial(parameters, dict.fromkeys(sorted(unknown)))
