"""The aggregates: events given, command, events out. What gRPC tests show is not shown again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeVar, get_args

import pytest

from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.registry_events import (
    Agreement,
    AssetPublished,
    AssetVisibilityChanged,
    ImportSource,
    RegistryEvent,
    ReleaseCreated,
    Subscribed,
    Unsubscribed,
    WorkflowConfigured,
    WorkflowCreated,
    WorkflowReleased,
    WorkspaceCreated,
)
from foldline.domain.run_events import Event, RunStopped
from foldline.domain.spec import Graph, Parameter
from foldline_registry.aggregates import asset, release, subscription, workflow, workspace
from foldline_registry.aggregates.state import Evolve, State
from foldline_registry.views.tables import TABLES

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEPTH = Parameter(name="depth", type="int", minimum=1)
RATE = Parameter(name="rate", type="float", default=0.5)

CREATED = WorkflowCreated(workspace="lab", workflow="digits", region="local")
RELEASED = WorkflowReleased(release="sha256:1", number=1)
PUBLISHED = AssetPublished(publisher="lab", asset="digits", version="1.0.0", release="sha256:1")
SUBSCRIBED = Subscribed(workspace="team", publisher="lab", asset="digits")

S = TypeVar("S", bound=State)


def given(evolve: Evolve[S], *events: Event) -> S:
    state: S | None = None
    for minute, event in enumerate(events):
        state = evolve(state, event, NOON + timedelta(minutes=minute))
    assert state is not None
    return state


def test_a_state_knows_its_revision_and_times() -> None:
    state = given(workflow.evolve, CREATED, RELEASED, WorkflowConfigured(values={"depth": 1}))

    assert state.revision == 3
    assert (state.created_at, state.updated_at) == (NOON, NOON + timedelta(minutes=2))


def test_folding_changes_no_earlier_state() -> None:
    before = given(workflow.evolve, CREATED, RELEASED)
    copy = given(workflow.evolve, CREATED, RELEASED)

    workflow.evolve(before, WorkflowConfigured(values={"depth": 1}), NOON)

    assert before == copy


@pytest.mark.parametrize(
    ("evolve", "fitting"),
    [
        (workspace.evolve, [WorkspaceCreated(workspace="lab")]),
        (release.evolve, [ReleaseCreated(release="sha256:1", graph=Graph(name="digits"))]),
        (release.summarise, [ReleaseCreated(release="sha256:1", graph=Graph(name="digits"))]),
        (workflow.evolve, [CREATED, RELEASED, WorkflowConfigured()]),
        (asset.evolve, [PUBLISHED, AssetVisibilityChanged(visibility="public")]),
        (subscription.evolve, [SUBSCRIBED, Unsubscribed()]),
    ],
)
def test_an_event_of_another_stream_stops_the_fold(evolve: Evolve[State], fitting: list[Event]) -> None:
    states: list[State | None] = [None, given(evolve, *fitting)]
    for state in states:
        with pytest.raises(FoldlineError, match="RunStopped does not belong") as caught:
            evolve(state, RunStopped(), NOON)
        assert caught.value.kind is Kind.INTERNAL


def test_a_stream_starts_with_its_first_event_only() -> None:
    for evolve, event in (
        (workflow.evolve, RELEASED),
        (workflow.evolve, WorkflowConfigured()),
        (asset.evolve, AssetVisibilityChanged(visibility="public")),
        (subscription.evolve, Unsubscribed()),
    ):
        with pytest.raises(FoldlineError, match="does not belong at the start of a stream"):
            evolve(None, event, NOON)


def test_every_event_of_the_registry_is_folded_into_some_table() -> None:
    samples: list[Event] = [
        WorkspaceCreated(workspace="lab"),
        ReleaseCreated(release="sha256:1", graph=Graph(name="digits")),
        CREATED,
        RELEASED,
        WorkflowConfigured(),
        PUBLISHED,
        AssetVisibilityChanged(visibility="public"),
        SUBSCRIBED,
        Unsubscribed(),
    ]
    assert {type(event) for event in samples} == set(get_args(RegistryEvent))

    states: dict[str, State] = {}
    for event in samples:
        for category, table in TABLES.items():
            try:
                states[category] = table.evolve(states.get(category), event, NOON)
            except FoldlineError:
                continue
            break
        else:
            pytest.fail(f"no table takes {type(event).__name__}")
    assert set(states) == set(TABLES)


def test_a_new_release_drops_values_of_parameters_that_are_gone() -> None:
    state = given(workflow.evolve, CREATED, RELEASED, WorkflowConfigured(values={"depth": 2, "rate": 1.0}))

    events = release_of(state, "sha256:2", RATE)

    assert events == [
        WorkflowReleased(release="sha256:2", number=2),
        WorkflowConfigured(values={"rate": 1.0}),
    ]


def test_a_new_release_keeps_quiet_about_values_that_fit() -> None:
    state = given(workflow.evolve, CREATED, RELEASED, WorkflowConfigured(values={"depth": 2}))

    assert release_of(state, "sha256:2", DEPTH) == [WorkflowReleased(release="sha256:2", number=2)]


def release_of(state: workflow.WorkflowState, digest: str, *parameters: Parameter) -> list[Event]:
    return list(
        workflow.release(
            state, workspace="lab", workflow="digits", region="", release=digest, parameters=parameters
        )
    )


def test_a_workflow_may_go_back_and_forth_between_releases() -> None:
    state = given(
        workflow.evolve,
        CREATED,
        RELEASED,
        WorkflowReleased(release="sha256:2", number=2),
        WorkflowReleased(release="sha256:1", number=1),
    )

    assert (state.release, state.number) == ("sha256:1", 1)
    assert [one.number for one in state.releases] == [1, 2]
    assert release_of(state, "sha256:1") == []
    assert release_of(state, "sha256:3") == [WorkflowReleased(release="sha256:3", number=3)]


def test_an_import_over_a_workflow_that_was_made_here_is_refused() -> None:
    state = given(workflow.evolve, CREATED, RELEASED)

    with pytest.raises(FoldlineError, match="has a workflow digits already"):
        workflow.import_asset(
            state,
            workspace="lab",
            workflow="digits",
            region="local",
            source=ImportSource(publisher="lab", asset="digits", version="1.0.0"),
            release="sha256:1",
        )


def test_a_publisher_always_sees_his_asset() -> None:
    private = given(asset.evolve, PUBLISHED)
    group = given(asset.evolve, PUBLISHED, AssetVisibilityChanged(visibility="group", workspaces=("team",)))

    assert [private.is_visible_to(name) for name in ("lab", "team", "other")] == [True, False, False]
    assert [group.is_visible_to(name) for name in ("lab", "team", "other")] == [True, True, False]


def test_a_list_of_workspaces_means_nothing_once_the_asset_is_private_again() -> None:
    state = given(
        asset.evolve,
        PUBLISHED,
        AssetVisibilityChanged(visibility="group", workspaces=("team",)),
        AssetVisibilityChanged(visibility="private"),
    )

    assert state.workspaces == ()
    assert not state.is_visible_to("team")


def test_changed_terms_keep_the_agreements_that_did_not_change() -> None:
    terms, privacy = Agreement(name="terms", text="new"), Agreement(name="privacy", text="same")
    shown = given(
        asset.evolve,
        AssetPublished(
            publisher="lab",
            asset="digits",
            version="1.0.0",
            release="sha256:1",
            agreements=(terms, privacy),
        ),
    )
    accepted = asset.digests([Agreement(name="terms", text="old"), privacy])
    state = given(
        subscription.evolve,
        Subscribed(workspace="team", publisher="lab", asset="digits", accepted=accepted),
    )

    with pytest.raises(FoldlineError, match="asks to accept terms:"):
        subscription.require_right(state, asset=shown, workspace="team")
    (event,) = subscription.subscribe(state, asset=shown, workspace="team", accept=["terms"])

    assert isinstance(event, Subscribed)
    assert event.accepted == asset.digests([terms, privacy])
