"""Releases: WorkflowService.CreateRelease, GetRelease and ListReleases through gRPC on Postgres."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from tests.integration.registry.installation import (
    OPTIONAL,
    REQUIRED,
    Client,
    Installation,
    a_bundle,
    a_graph,
    refused,
    release_request,
)

from foldline.api.registry.v1 import workflow_service_pb2 as pb
from foldline.api.workflow.v1 import workflow_pb2
from foldline.artifacts.store import open_store
from foldline.domain import releases
from foldline.domain.spec import Environment, Graph, Parameter
from foldline.wire import messages

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND


async def numbers(client: Client) -> list[tuple[str, int]]:
    request = pb.ListReleasesRequest(workspace="lab", workflow="digits")
    reply = await client.workflows.ListReleases(request)
    return [(release.digest, release.number) for release in reply.releases]


async def get(client: Client, release: str = "") -> pb.Release:
    request = pb.GetReleaseRequest(workspace="lab", workflow="digits", release=release)
    reply: pb.GetReleaseResponse = await client.workflows.GetRelease(request)
    return reply.release


async def test_the_first_release_makes_the_workflow(lab: Client) -> None:
    reply = await lab.release("lab", region="north")

    workflow = await lab.get("lab")
    assert reply.created
    assert (reply.release.number, workflow.release_number) == (1, 1)
    assert workflow.release == reply.release.digest
    assert (workflow.workspace, workflow.name, workflow.title) == ("lab", "digits", "Handwritten digits")
    assert workflow.region == "north"
    assert list(workflow.missing) == ["depth"]
    assert not workflow.HasField("source")
    assert workflow.create_time == workflow.update_time


async def test_a_region_is_local_unless_said(lab: Client) -> None:
    await lab.release("lab")

    assert (await lab.get("lab")).region == "local"


async def test_a_release_has_everything_that_went_into_it_and_its_digest_can_be_worked_out(
    registry: Installation, lab: Client
) -> None:
    environment = Environment(python="3.11", requirements=("numpy",), lock="numpy==2.0 --hash=sha256:00\n")
    message = messages.to_message(environment, workflow_pb2.Environment)

    release = (await lab.release("lab", environment=message)).release

    store = open_store(str(registry.artifacts))
    assert messages.from_message(release.graph, Graph) == a_graph()
    assert await store.read(release.bundle) == a_bundle()
    assert await store.read(release.environment) == releases.canonical(environment)
    assert release.digest == releases.digest_of(
        a_graph(), bundle=release.bundle, environment=release.environment, docs="# Digits"
    )
    assert messages.from_struct(release.parameters_schema)["required"] == ["depth"]
    assert await get(lab) == release
    assert await get(lab, release.digest) == release


async def test_the_same_content_is_the_same_release(registry: Installation, lab: Client) -> None:
    first = await lab.release("lab")
    again = await lab.release("lab")

    assert (first.created, again.created) == (True, False)
    assert again.release == first.release
    assert len(await registry.store.read_stream("workflow-lab.digits")) == 2


async def test_two_workspaces_share_a_release_but_not_a_workflow(lab: Client, team: Client) -> None:
    ours = await lab.release("lab")
    theirs = await team.release("team")

    assert (ours.created, theirs.created) == (True, True)
    assert ours.release.digest == theirs.release.digest
    assert (await team.get("team")).workspace == "team"


async def test_any_change_is_a_new_release_with_the_next_number(lab: Client) -> None:
    made = [
        await lab.release("lab"),
        await lab.release("lab", docs="# Better"),
        await lab.release("lab", bundle=a_bundle({"digits.py": "def train() -> None: pass"})),
        await lab.release("lab", environment=workflow_pb2.Environment(python="3.12")),
        await lab.release("lab", graph=a_graph(title="Other")),
    ]

    assert [one.release.number for one in made] == [1, 2, 3, 4, 5]
    assert await numbers(lab) == [(one.release.digest, one.release.number) for one in reversed(made)]
    assert (await lab.get("lab")).release_number == 5


async def test_an_older_release_made_again_becomes_the_current_one_under_its_old_number(lab: Client) -> None:
    first = await lab.release("lab")
    await lab.release("lab", docs="# Better")

    again = await lab.release("lab")

    assert again.created
    assert again.release.number == 1
    assert (await lab.get("lab")).release == first.release.digest
    assert [number for _, number in await numbers(lab)] == [2, 1]


async def test_lists_show_releases_without_graphs(lab: Client) -> None:
    await lab.release("lab")

    reply = await lab.workflows.ListReleases(pb.ListReleasesRequest(workspace="lab", workflow="digits"))

    (release,) = reply.releases
    assert not release.HasField("graph")
    assert release.docs == "# Digits"
    assert release.HasField("create_time")
    assert release.HasField("parameters_schema")


async def test_saved_values_that_no_longer_fit_are_dropped_as_a_fact_of_their_own(
    registry: Installation, lab: Client
) -> None:
    await lab.release("lab")
    await lab.configure("lab", {"depth": 9, "rate": 0.25})
    narrower = Parameter(name="depth", type="int", minimum=1, maximum=5)

    await lab.release("lab", graph=a_graph(parameters=(narrower, OPTIONAL)))

    workflow = await lab.get("lab")
    assert messages.from_struct(workflow.values) == {"rate": 0.25}
    assert list(workflow.missing) == ["depth"]
    history = await registry.store.read_stream("workflow-lab.digits")
    assert [event.type for event in history][-2:] == ["WorkflowReleased", "WorkflowConfigured"]


async def test_saved_values_that_fit_stay(lab: Client) -> None:
    await lab.release("lab")
    await lab.configure("lab", {"depth": 3})

    await lab.release("lab", docs="# Better")

    workflow = await lab.get("lab")
    assert messages.from_struct(workflow.values) == {"depth": 3}
    assert not workflow.missing


async def test_concurrent_releases_get_numbers_without_gap(lab: Client) -> None:
    replies = await asyncio.gather(*(lab.release("lab", docs=f"# {number}") for number in range(6)))

    assert sorted(reply.release.number for reply in replies) == [1, 2, 3, 4, 5, 6]
    assert [number for _, number in await numbers(lab)] == [6, 5, 4, 3, 2, 1]


async def test_the_same_release_made_by_many_at_once_is_made_once(
    registry: Installation, lab: Client, team: Client
) -> None:
    calls = [lab.release("lab") for _ in range(4)] + [team.release("team") for _ in range(4)]

    replies = await asyncio.gather(*calls)

    (digest,) = {reply.release.digest for reply in replies}
    assert sum(reply.created for reply in replies) == 2
    assert len(await registry.store.read_stream(f"release-{digest.removeprefix('sha256:')}")) == 1


async def test_a_broken_graph_is_refused_naming_step_and_rule(lab: Client) -> None:
    graph = messages.to_message(a_graph(), workflow_pb2.Graph)
    graph.steps[0].after.append("clean")
    graph.steps[0].inputs["rate"].parameter = "rat"

    with refused(INVALID, "UNKNOWN_STEP") as refusal:
        await lab.release("lab", graph=graph)

    assert "step train: runs after clean, which is not a step" in refusal.error.message
    assert "rat, which is not a parameter; did you mean rate?" in refusal.error.message


async def test_a_kind_of_step_that_does_not_exist_is_refused(lab: Client) -> None:
    graph = messages.to_message(a_graph(), workflow_pb2.Graph)
    graph.steps[0].kind = "magic"

    with refused(INVALID, "MESSAGE_INVALID") as refusal:
        await lab.release("lab", graph=graph)

    assert "magic" in refusal.error.message


@pytest.mark.parametrize(
    ("changes", "reason", "rule"),
    [
        ({"bundle": b"no zip"}, "ILLEGAL_BUNDLE", "not a readable zip archive"),
        ({"bundle": b""}, "BUNDLE_MISSING", "step train runs code of its own"),
        ({"bundle": a_bundle({"../digits.py": ""})}, "ILLEGAL_BUNDLE", "'../digits.py' has a name with"),
        ({"bundle": b"x" * (16 * 1024**2 + 1)}, "ILLEGAL_BUNDLE", "more than 16 MiB"),
        ({"environment": None}, "ILLEGAL_ENVIRONMENT", "must be a version like 3.11"),
        (
            {"environment": workflow_pb2.Environment(python="3.11", requirements=["numpy"])},
            "ILLEGAL_ENVIRONMENT",
            "no lock",
        ),
        ({"region": "North Pole"}, "ILLEGAL_NAME", "region 'North Pole'"),
        ({"docs": "x" * (1024**2 + 1)}, "TOO_LARGE", "docs"),
    ],
)
async def test_what_a_release_cannot_be_made_of_is_refused_with_the_rule(
    lab: Client, changes: dict[str, object], reason: str, rule: str
) -> None:
    with refused(INVALID, reason) as refusal:
        await lab.release("lab", **changes)

    assert rule in refusal.error.message


async def test_a_refused_release_leaves_no_workflow_behind(lab: Client) -> None:
    with refused(INVALID, "ILLEGAL_BUNDLE"):
        await lab.release("lab", bundle=b"no zip")

    with refused(NOT_FOUND, "WORKFLOW_NOT_FOUND"):
        await lab.get("lab")


async def test_a_bundle_of_the_full_size_is_taken(lab: Client) -> None:
    noise = "".join(f"{number:08}" for number in range(15 * 1024**2 // 8))

    reply = await lab.release("lab", bundle=a_bundle({"digits.py": "", "data.txt": noise}))

    assert reply.created


async def test_there_are_no_releases_without_a_workspace(registry: Installation) -> None:
    everywhere = await registry.client()

    with refused(NOT_FOUND, "WORKSPACE_NOT_FOUND"):
        await everywhere.release("nowhere")


async def test_a_release_of_another_workflow_is_not_found(lab: Client, team: Client) -> None:
    await lab.release("lab")
    other = await team.release("team", docs="# Secret")

    with refused(NOT_FOUND, "RELEASE_NOT_FOUND"):
        await get(lab, other.release.digest)
    with refused(INVALID, "ILLEGAL_NAME"):
        await get(lab, "latest")


async def test_after_a_crash_behind_the_release_a_repeat_makes_the_workflow(
    registry: Installation, lab: Client, team: Client
) -> None:
    """What a crash between the two streams leaves behind is just what another workspace's release leaves."""
    digest = (await team.release("team")).release.digest
    with refused(NOT_FOUND, "WORKFLOW_NOT_FOUND"):
        await lab.get("lab")

    reply = await lab.release("lab")

    assert reply.created
    assert reply.release.digest == digest


async def test_viewers_and_operators_make_no_releases(registry: Installation) -> None:
    operator = await registry.client(lab="operator")

    with refused(grpc.StatusCode.PERMISSION_DENIED, "ROLE_TOO_LOW"):
        await operator.workflows.CreateRelease(release_request("lab"))


def test_the_parameters_of_the_tests_are_what_they_say() -> None:
    assert (REQUIRED.is_required, OPTIONAL.is_required) == (True, False)
