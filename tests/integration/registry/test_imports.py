"""GalleryService.ImportAsset through gRPC on Postgres."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from tests.integration.registry.installation import (
    Client,
    Installation,
    a_graph,
    refused,
    terms,
)

from foldline.api.registry.v1 import gallery_service_pb2 as pb
from foldline.wire import messages

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
EXISTS = grpc.StatusCode.ALREADY_EXISTS
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


@pytest.fixture
async def published(lab: Client) -> str:
    """The digest of lab/digits 1.0.0, public, without agreements."""
    digest = (await lab.release("lab")).release.digest
    await lab.publish("lab", visibility="public")
    return digest


async def test_an_import_is_a_workflow_of_its_own_that_knows_where_it_is_from(
    registry: Installation, team: Client, published: str
) -> None:
    await team.subscribe("team")

    workflow = await team.import_asset("team")

    assert (workflow.workspace, workflow.name, workflow.region) == ("team", "digits", "local")
    assert (workflow.release, workflow.release_number) == (published, 1)
    source = workflow.source
    assert (source.publisher, source.asset, source.version) == ("lab", "digits", "1.0.0")
    assert await team.get("team") == workflow
    history = await registry.store.read_stream("workflow-team.digits")
    assert [event.type for event in history] == ["WorkflowCreated", "WorkflowReleased"]
    assert history[0].position.transaction == history[1].position.transaction


async def test_name_region_and_version_may_be_chosen(lab: Client, team: Client, published: str) -> None:
    await lab.release("lab", docs="# Better")
    await lab.publish("lab")
    await team.subscribe("team")

    newest = await team.import_asset("team")
    older = await team.import_asset("team", workflow="old-digits", region="north", version="1.0.0")

    assert newest.source.version == "1.0.1"
    assert (older.name, older.region, older.source.version) == ("old-digits", "north", "1.0.0")
    assert older.release == published != newest.release


async def test_the_publishers_configuration_stays_at_home(lab: Client, team: Client, published: str) -> None:
    await lab.configure("lab", {"depth": 7, "rate": 0.125})
    await lab.publish("lab")
    await team.subscribe("team")

    workflow = await team.import_asset("team")

    assert messages.from_struct(workflow.values) == {}
    assert list(workflow.missing) == ["depth"]
    resolved = await team.resolve("team", {"depth": 1})
    assert messages.from_struct(resolved.parameters) == {"depth": 1, "rate": 0.5}


async def test_an_import_and_its_origin_go_separate_ways(lab: Client, team: Client, published: str) -> None:
    await team.subscribe("team")
    imported = await team.import_asset("team")
    await team.configure("team", {"depth": 2})

    await lab.release("lab", docs="# Better")
    await lab.publish("lab")
    await lab.configure("lab", {"depth": 8})
    own = await team.release("team", docs="# Ours")

    workflow = await team.get("team")
    assert messages.from_struct(workflow.values) == {"depth": 2}
    assert (workflow.release, workflow.release_number) == (own.release.digest, 2)
    assert workflow.source == imported.source
    assert (await lab.get("lab")).release != workflow.release


async def test_without_a_subscription_nothing_is_imported(team: Client, published: str) -> None:
    with refused(PRECONDITION, "NOT_SUBSCRIBED") as refusal:
        await team.import_asset("team")

    assert refusal.error.message == "workspace team has no subscription to asset lab/digits"
    with refused(NOT_FOUND, "WORKFLOW_NOT_FOUND"):
        await team.get("team")


async def test_after_the_subscription_ended_what_was_imported_stays(team: Client, published: str) -> None:
    await team.subscribe("team")
    await team.import_asset("team")

    await team.gallery.Unsubscribe(pb.UnsubscribeRequest(workspace="team", publisher="lab", asset="digits"))

    assert (await team.get("team")).release == published
    with refused(PRECONDITION, "NOT_SUBSCRIBED"):
        await team.import_asset("team", workflow="again")


async def test_a_subscriber_who_may_not_see_the_asset_any_more_imports_nothing(
    lab: Client, team: Client, published: str
) -> None:
    await team.subscribe("team")
    await lab.gallery.SetVisibility(
        pb.SetVisibilityRequest(workspace="lab", asset="digits", visibility="private")
    )

    with refused(NOT_FOUND, "ASSET_NOT_FOUND"):
        await team.import_asset("team")


async def test_new_terms_hold_back_imports_until_they_are_accepted(
    lab: Client, team: Client, published: str
) -> None:
    await team.subscribe("team")
    await lab.publish("lab", agreements=[terms("Be kind.")])

    for version in ("", "1.0.0", "1.0.1"):
        with refused(PRECONDITION, "AGREEMENTS_NOT_ACCEPTED") as refusal:
            await team.import_asset("team", version=version)
        assert refusal.error.fields["agreements"] == "terms"
    await team.subscribe("team", ["terms"])

    assert (await team.import_asset("team")).source.version == "1.0.1"


async def test_the_publisher_imports_his_own_asset_without_a_subscription(
    lab: Client, published: str
) -> None:
    await lab.publish("lab", visibility="private", agreements=[terms()])

    workflow = await lab.import_asset("lab", workflow="copy")

    assert (workflow.workspace, workflow.name, workflow.release) == ("lab", "copy", published)


async def test_a_version_that_does_not_exist_is_named_with_those_that_do(
    team: Client, published: str
) -> None:
    await team.subscribe("team")

    with refused(NOT_FOUND, "VERSION_NOT_FOUND") as refusal:
        await team.import_asset("team", version="2.0.0")
    with refused(INVALID, "ILLEGAL_VERSION"):
        await team.import_asset("team", version="newest")

    assert refusal.error.message == "asset lab/digits has no version 2.0.0; the newest are 1.0.0"


async def test_a_name_that_is_taken_is_refused(lab: Client, team: Client, published: str) -> None:
    await team.subscribe("team")
    await team.release("team", graph=a_graph("mine"))
    await team.import_asset("team")
    await lab.publish("lab")

    with refused(EXISTS, "WORKFLOW_EXISTS") as own:
        await team.import_asset("team", workflow="mine")
    with refused(EXISTS, "WORKFLOW_EXISTS"):
        await team.import_asset("team", version="1.0.1")
    with refused(EXISTS, "WORKFLOW_EXISTS"):
        await team.import_asset("team", version="1.0.0", region="north")

    assert own.error.message == "workspace team has a workflow mine already: import under another name"


async def test_an_import_whose_reply_was_lost_can_be_repeated(
    registry: Installation, team: Client, published: str
) -> None:
    await team.subscribe("team")

    replies = await asyncio.gather(*(team.import_asset("team") for _ in range(4)))

    assert all(reply == replies[0] for reply in replies)
    assert len(await registry.store.read_stream("workflow-team.digits")) == 2


async def test_a_repeat_after_changes_is_no_repeat(team: Client, published: str) -> None:
    await team.subscribe("team")
    await team.import_asset("team")
    await team.configure("team", {"depth": 2})

    with refused(EXISTS, "WORKFLOW_EXISTS"):
        await team.import_asset("team")


@pytest.mark.parametrize("fields", [{"workflow": "a b"}, {"region": "North Pole"}, {"publisher": "*"}])
async def test_illegal_names_are_refused(team: Client, published: str, fields: dict[str, str]) -> None:
    await team.subscribe("team")

    with refused(INVALID, "ILLEGAL_NAME"):
        await team.import_asset("team", **fields)


async def test_an_operator_imports_nothing(registry: Installation, published: str) -> None:
    operator = await registry.client(team="operator")

    with refused(grpc.StatusCode.PERMISSION_DENIED, "ROLE_TOO_LOW"):
        await operator.import_asset("team")
