"""GalleryService through gRPC on Postgres: publishing, visibility, subscriptions."""

from __future__ import annotations

import asyncio
import hashlib

import grpc
import pytest
from tests.integration.registry.installation import (
    Client,
    Installation,
    a_graph,
    refused,
    terms,
)

from foldline.api.event.v1 import registry_events_pb2 as events
from foldline.api.registry.v1 import gallery_service_pb2 as pb
from foldline.domain.spec import Graph
from foldline.wire import messages

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


def versions(asset: pb.Asset) -> list[str]:
    return [version.version for version in asset.versions]


async def show(client: Client, visibility: str, *workspaces: str) -> pb.Asset:
    request = pb.SetVisibilityRequest(
        workspace="lab", asset="digits", visibility=visibility, workspaces=workspaces
    )
    reply: pb.SetVisibilityResponse = await client.gallery.SetVisibility(request)
    return reply.asset


async def subscriptions(client: Client, workspace: str) -> list[str]:
    reply = await client.gallery.ListSubscriptions(pb.ListSubscriptionsRequest(workspace=workspace))
    return [f"{one.publisher}/{one.asset}" for one in reply.subscriptions]


async def unsubscribe(client: Client, workspace: str) -> None:
    await client.gallery.Unsubscribe(
        pb.UnsubscribeRequest(workspace=workspace, publisher="lab", asset="digits")
    )


async def test_a_new_asset_is_private_and_named_like_its_workflow(lab: Client) -> None:
    release = (await lab.release("lab")).release

    asset = await lab.publish("lab", notes="The first one.")

    assert (asset.publisher, asset.name, asset.title) == ("lab", "digits", "Handwritten digits")
    assert (asset.visibility, versions(asset)) == ("private", ["1.0.0"])
    assert (asset.versions[0].release, asset.versions[0].notes) == (release.digest, "The first one.")
    assert asset.versions[0].HasField("publish_time")
    found = await lab.get_asset("lab")
    assert found.asset == asset
    assert found.release.digest == release.digest
    assert messages.from_message(found.release.graph, Graph) == a_graph()


async def test_an_asset_may_have_a_name_and_a_title_of_its_own(lab: Client) -> None:
    await lab.release("lab")

    first = await lab.publish("lab", asset="mnist", title="Digits for all")
    second = await lab.publish("lab", asset="mnist")

    assert (first.name, first.title) == ("mnist", "Digits for all")
    assert second.title == "Digits for all"
    assert await lab.assets("lab") == ["lab/mnist"]


async def test_versions_grow_by_a_patch_unless_said(lab: Client) -> None:
    await lab.release("lab")
    await lab.publish("lab")
    await lab.publish("lab")
    await lab.publish("lab", version="1.10.0")

    asset = await lab.publish("lab")

    assert versions(asset) == ["1.10.1", "1.10.0", "1.0.1", "1.0.0"]


@pytest.mark.parametrize("version", ["1.2.3", "1.2.2", "0.9.0"])
async def test_an_equal_or_lower_version_is_refused(lab: Client, version: str) -> None:
    await lab.release("lab")
    await lab.publish("lab", version="1.2.3")

    with refused(PRECONDITION, "VERSION_NOT_HIGHER") as refusal:
        await lab.publish("lab", version=version)

    assert refusal.error.message == f"version {version} is not higher than 1.2.3, the newest one published"
    assert versions((await lab.get_asset("lab")).asset) == ["1.2.3"]


async def test_versions_published_at_once_are_all_different(lab: Client) -> None:
    await lab.release("lab")

    await asyncio.gather(*(lab.publish("lab") for _ in range(5)))

    asset = (await lab.get_asset("lab")).asset
    assert versions(asset) == ["1.0.4", "1.0.3", "1.0.2", "1.0.1", "1.0.0"]


async def test_any_release_of_the_workflow_may_be_published_but_no_other(lab: Client, team: Client) -> None:
    first = (await lab.release("lab")).release
    await lab.release("lab", docs="# Better")
    other = (await team.release("team", docs="# Secret")).release

    asset = await lab.publish("lab", release=first.digest)

    assert asset.versions[0].release == first.digest
    with refused(NOT_FOUND, "RELEASE_NOT_FOUND"):
        await lab.publish("lab", release=other.digest)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"version": "1.0"}, "ILLEGAL_VERSION"),
        ({"asset": "my asset"}, "ILLEGAL_NAME"),
        ({"visibility": "secret"}, "ILLEGAL_VISIBILITY"),
        ({"visibility": "group"}, "ILLEGAL_VISIBILITY"),
        ({"visibility": "public", "workspaces": ["team"]}, "ILLEGAL_VISIBILITY"),
        ({"workspaces": ["team"]}, "ILLEGAL_VISIBILITY"),
        ({"visibility": "group", "workspaces": ["No One"]}, "ILLEGAL_NAME"),
        ({"agreements": [terms(" ")]}, "ILLEGAL_AGREEMENT"),
        ({"agreements": [terms(), terms("Be kinder.")]}, "ILLEGAL_AGREEMENT"),
        ({"agreements": [terms("x" * (64 * 1024 + 1))]}, "ILLEGAL_AGREEMENT"),
        ({"agreements": [events.Agreement(name="a b", text="x")]}, "ILLEGAL_NAME"),
        ({"title": "x" * 201}, "TOO_LARGE"),
        ({"notes": "x" * (16 * 1024 + 1)}, "TOO_LARGE"),
    ],
)
async def test_what_cannot_be_published_is_refused_and_nothing_is_published(
    lab: Client, fields: dict[str, object], reason: str
) -> None:
    await lab.release("lab")

    with refused(INVALID, reason):
        await lab.publish("lab", **fields)

    assert await lab.assets("lab") == []


async def test_a_developer_publishes_nothing_and_shows_nothing(registry: Installation, lab: Client) -> None:
    await lab.release("lab")
    await lab.publish("lab")
    developer = await registry.client(lab="developer")

    for call in (developer.publish("lab"), show(developer, "public")):
        with refused(grpc.StatusCode.PERMISSION_DENIED, "ROLE_TOO_LOW"):
            await call


@pytest.mark.parametrize(
    ("visibility", "workspaces"), [("private", []), ("group", ["elsewhere"]), ("group", ["lab"])]
)
async def test_an_asset_that_is_not_visible_is_not_there_at_all(
    lab: Client, team: Client, visibility: str, workspaces: list[str]
) -> None:
    await lab.release("lab")
    await lab.publish("lab", visibility=visibility, workspaces=workspaces)

    assert await team.assets("team") == []
    for call in (team.get_asset("team"), team.subscribe("team"), team.import_asset("team")):
        with refused(NOT_FOUND, "ASSET_NOT_FOUND") as refusal:
            await call
        assert refusal.error.message == "the gallery has no asset lab/digits"
    with refused(NOT_FOUND, "ASSET_NOT_FOUND") as nowhere:
        await team.get_asset("team", asset="nothing")
    assert nowhere.error.message == "the gallery has no asset lab/nothing"


@pytest.mark.parametrize(("visibility", "workspaces"), [("public", []), ("group", ["elsewhere", "team"])])
async def test_an_asset_that_is_visible_can_be_found_and_subscribed_to(
    lab: Client, team: Client, visibility: str, workspaces: list[str]
) -> None:
    await lab.release("lab")
    await lab.publish("lab", visibility=visibility, workspaces=workspaces)

    assert await team.assets("team") == ["lab/digits"]
    assert (await team.get_asset("team")).asset.name == "digits"
    assert (await team.subscribe("team")).workspace == "team"


async def test_only_the_publisher_sees_who_is_in_the_group(lab: Client, team: Client) -> None:
    await lab.release("lab")
    await lab.publish("lab", visibility="group", workspaces=["team", "elsewhere"])

    listed = await team.gallery.ListAssets(pb.ListAssetsRequest(workspace="team"))

    assert list((await lab.get_asset("lab")).asset.workspaces) == ["elsewhere", "team"]
    assert list((await team.get_asset("team")).asset.workspaces) == []
    assert list(listed.assets[0].workspaces) == []


async def test_visibility_changes_at_once_and_a_new_version_leaves_it(lab: Client, team: Client) -> None:
    await lab.release("lab")
    await lab.publish("lab")

    shown = await show(lab, "public")
    republished = await lab.publish("lab")
    seen = await team.assets("team")
    hidden = await show(lab, "private")

    assert (shown.visibility, republished.visibility) == ("public", "public")
    assert seen == ["lab/digits"]
    assert hidden.visibility == "private"
    assert await team.assets("team") == []


async def test_showing_what_is_shown_already_writes_nothing(registry: Installation, lab: Client) -> None:
    await lab.release("lab")
    await lab.publish("lab", visibility="group", workspaces=["team"])

    await show(lab, "group", "team", "team")

    assert len(await registry.store.read_stream("asset-lab.digits")) == 2


async def test_the_visibility_of_another_workspaces_asset_cannot_be_changed(
    registry: Installation, lab: Client
) -> None:
    await lab.release("lab")
    await lab.publish("lab", visibility="public")
    other = await registry.client(team="publisher")

    request = pb.SetVisibilityRequest(workspace="team", asset="digits", visibility="private")

    with refused(NOT_FOUND, "ASSET_NOT_FOUND"):
        await other.gallery.SetVisibility(request)


async def test_a_search_finds_assets_with_all_words_in_name_title_or_publisher(lab: Client) -> None:
    await lab.release("lab")
    await lab.publish("lab", asset="mnist", title="Große Ziffern")
    await lab.publish("lab", asset="letters", title="Handwritten letters")

    assert await lab.assets("lab", "LAB  hand") == ["lab/letters"]
    assert await lab.assets("lab", "GROSSE") == ["lab/mnist"]
    assert await lab.assets("lab", "mnist letters") == []
    assert await lab.assets("lab", "%") == []
    assert await lab.assets("lab", "\0") == ["lab/letters", "lab/mnist"]


async def test_the_gallery_comes_in_pages_ordered_by_publisher_and_name(
    registry: Installation, lab: Client
) -> None:
    both = await registry.client(lab="publisher", team="publisher")
    await both.release("lab")
    await both.release("team")
    for publisher, asset in (("team", "a"), ("lab", "b"), ("lab", "a"), ("team", "b")):
        await both.publish(publisher, asset=asset, visibility="public")
    request = pb.ListAssetsRequest(workspace="lab", page_size=3)

    first = await both.gallery.ListAssets(request)
    request.page_token = first.next_page_token
    second = await both.gallery.ListAssets(request)

    found = [f"{asset.publisher}/{asset.name}" for page in (first, second) for asset in page.assets]
    assert (len(first.assets), second.next_page_token) == (3, "")
    assert found == ["lab/a", "lab/b", "team/a", "team/b"]


async def test_agreements_must_be_accepted_by_name_and_the_digest_of_each_text_is_recorded(
    registry: Installation, lab: Client, team: Client
) -> None:
    await lab.release("lab")
    privacy = events.Agreement(name="privacy", text="We look at nothing.")
    await lab.publish("lab", visibility="public", agreements=[terms(), privacy])

    with refused(PRECONDITION, "AGREEMENTS_NOT_ACCEPTED") as nothing:
        await team.subscribe("team")
    with refused(PRECONDITION, "AGREEMENTS_NOT_ACCEPTED") as part:
        await team.subscribe("team", ["terms"])
    with refused(INVALID, "UNKNOWN_AGREEMENT"):
        await team.subscribe("team", ["terms", "privacy", "cookies"])
    assert await subscriptions(team, "team") == []
    subscription = await team.subscribe("team", ["privacy", "terms"])

    assert (nothing.error.fields["agreements"], part.error.fields["agreements"]) == (
        "terms,privacy",
        "privacy",
    )
    assert dict(subscription.accepted) == {
        name: f"sha256:{hashlib.sha256(text).hexdigest()}"
        for name, text in {"terms": b"Be kind.", "privacy": b"We look at nothing."}.items()
    }
    (event,) = await registry.store.read_stream("subscription-team.lab.digits")
    assert '"actor":"tom"' in event.meta


async def test_a_subscription_is_listed_and_shown_on_the_asset_until_it_ends(
    lab: Client, team: Client
) -> None:
    await lab.release("lab")
    await lab.publish("lab", visibility="public")

    subscribed = await team.subscribe("team")
    during = (await team.get_asset("team")).asset.subscribed
    listed = await team.gallery.ListSubscriptions(pb.ListSubscriptionsRequest(workspace="team"))
    await unsubscribe(team, "team")

    assert during
    assert list(listed.subscriptions) == [subscribed]
    assert not (await lab.get_asset("lab")).asset.subscribed
    assert not (await team.get_asset("team")).asset.subscribed
    assert await subscriptions(team, "team") == []
    assets = await team.gallery.ListAssets(pb.ListAssetsRequest(workspace="team"))
    assert not assets.assets[0].subscribed


async def test_subscribing_twice_is_subscribing_once(
    registry: Installation, lab: Client, team: Client
) -> None:
    await lab.release("lab")
    await lab.publish("lab", visibility="public", agreements=[terms()])

    first = await team.subscribe("team", ["terms"])
    again = await team.subscribe("team")

    assert again == first
    assert len(await registry.store.read_stream("subscription-team.lab.digits")) == 1


async def test_one_may_unsubscribe_from_what_is_not_visible_any_more(lab: Client, team: Client) -> None:
    await lab.release("lab")
    await lab.publish("lab", visibility="public")
    await team.subscribe("team")
    await show(lab, "private")

    await unsubscribe(team, "team")

    with refused(NOT_FOUND, "NOT_SUBSCRIBED"):
        await unsubscribe(team, "team")


async def test_who_comes_back_accepts_again(lab: Client, team: Client) -> None:
    await lab.release("lab")
    await lab.publish("lab", visibility="public", agreements=[terms()])
    await team.subscribe("team", ["terms"])
    await unsubscribe(team, "team")

    with refused(PRECONDITION, "AGREEMENTS_NOT_ACCEPTED"):
        await team.subscribe("team")


async def test_the_publisher_accepts_no_agreements_of_his_own(lab: Client) -> None:
    await lab.release("lab")
    await lab.publish("lab", agreements=[terms()])

    subscription = await lab.subscribe("lab")

    assert dict(subscription.accepted) == {}


async def test_a_version_that_names_no_agreements_keeps_them(lab: Client) -> None:
    await lab.release("lab")
    await lab.publish("lab", agreements=[terms()])

    asset = await lab.publish("lab")

    assert [(one.name, one.text) for one in asset.agreements] == [("terms", "Be kind.")]


async def test_an_operator_subscribes_to_nothing(registry: Installation, lab: Client) -> None:
    await lab.release("lab")
    await lab.publish("lab", visibility="public")
    operator = await registry.client(team="operator")

    with refused(grpc.StatusCode.PERMISSION_DENIED, "ROLE_TOO_LOW"):
        await operator.subscribe("team")
