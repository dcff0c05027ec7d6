"""Stream release-<digest>: one immutable event. Named by its content, it belongs to no workspace."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.registry_events import ReleaseCreated
from foldline.domain.run_events import Event
from foldline.domain.spec import Graph, Parameter
from foldline_registry.aggregates.state import State, folding, misplaced


class Summary(State, frozen=True, kw_only=True):
    """What a list shows of a release: everything but the graph."""

    release: str
    title: str = ""
    parameters: tuple[Parameter, ...] = ()
    bundle: str = ""
    environment: str = ""
    docs: str = ""


class ReleaseState(Summary, frozen=True, kw_only=True):
    graph: Graph


def _summarise(state: Summary | None, event: Event, _at: datetime) -> Summary:
    if state is None and isinstance(event, ReleaseCreated):
        return Summary(
            release=event.release,
            title=event.graph.title,
            parameters=event.graph.parameters,
            bundle=event.bundle,
            environment=event.environment,
            docs=event.docs,
        )
    raise misplaced(state, event)


def _evolve(state: ReleaseState | None, event: Event, _at: datetime) -> ReleaseState:
    if state is None and isinstance(event, ReleaseCreated):
        return ReleaseState(
            release=event.release,
            title=event.graph.title,
            parameters=event.graph.parameters,
            bundle=event.bundle,
            environment=event.environment,
            docs=event.docs,
            graph=event.graph,
        )
    raise misplaced(state, event)


summarise = folding(_summarise)
evolve = folding(_evolve)


def create(state: ReleaseState | None, created: ReleaseCreated) -> Sequence[Event]:
    """The same content is the same release: making it again changes nothing."""
    return [created] if state is None else []


def require(state: ReleaseState | None, release: str) -> ReleaseState:
    if state is None:
        raise FoldlineError(
            Kind.INTERNAL,
            "RELEASE_MISSING",
            f"a workflow names release {release}, but the ledger does not have it",
            release=release,
        )
    return state
