"""WorkspaceService through gRPC on Postgres."""

from __future__ import annotations

import grpc
import pytest
from tests.integration.registry.installation import Client, Installation, refused

from foldline.api.registry.v1 import workspace_service_pb2 as pb

INVALID = grpc.StatusCode.INVALID_ARGUMENT
DENIED = grpc.StatusCode.PERMISSION_DENIED


async def names(client: Client) -> list[str]:
    reply = await client.workspaces.ListWorkspaces(pb.ListWorkspacesRequest())
    return [workspace.name for workspace in reply.workspaces]


async def test_a_new_workspace_is_in_the_list_at_once_with_its_title(registry: Installation) -> None:
    admin = await registry.client()

    created = await admin.workspaces.CreateWorkspace(
        pb.CreateWorkspaceRequest(workspace="atelier", title="The atelier")
    )

    listed = await admin.workspaces.ListWorkspaces(pb.ListWorkspacesRequest())
    assert created.workspace == pb.Workspace(name="atelier", title="The atelier")
    assert [workspace.name for workspace in listed.workspaces] == ["atelier", "lab", "team"]
    assert listed.workspaces[0] == created.workspace


async def test_a_name_is_taken_once(registry: Installation) -> None:
    admin = await registry.client()

    with refused(grpc.StatusCode.ALREADY_EXISTS, "WORKSPACE_EXISTS") as refusal:
        await admin.make_workspace("lab")

    assert "lab" in refusal.error.message


@pytest.mark.parametrize("name", ["", "Lab", "a.b", "*", "x" * 65])
async def test_an_illegal_name_is_refused(registry: Installation, name: str) -> None:
    admin = await registry.client()

    with refused(INVALID, "ILLEGAL_NAME"):
        await admin.make_workspace(name)


async def test_only_an_admin_of_the_installation_makes_workspaces(registry: Installation) -> None:
    local = await registry.client(lab="admin")

    with refused(DENIED, "ROLE_TOO_LOW"):
        await local.make_workspace("other")


async def test_callers_see_the_workspaces_that_their_token_names(
    registry: Installation, lab: Client, team: Client
) -> None:
    both = await registry.client(lab="viewer", team="viewer", gone="viewer")

    assert await names(lab) == ["lab"]
    assert await names(team) == ["team"]
    assert await names(both) == ["lab", "team"]


async def test_an_issued_token_acts_in_its_workspace_with_its_role(registry: Installation) -> None:
    admin = await registry.client(lab="admin")

    issued = await admin.workspaces.IssueToken(
        pb.IssueTokenRequest(workspace="lab", role="viewer", subject="vera")
    )

    viewer = await registry.holder(issued.token)
    assert await names(viewer) == ["lab"]
    with refused(DENIED, "ROLE_TOO_LOW") as refusal:
        await viewer.release("lab")
    assert "vera" in refusal.error.message


async def test_nobody_grants_more_than_he_holds(registry: Installation) -> None:
    everywhere = pb.IssueTokenRequest(workspace="*", role="viewer", subject="eve")
    local = await registry.client(lab="admin")
    installation = await registry.client()

    with refused(DENIED, "ROLE_TOO_LOW"):
        await local.workspaces.IssueToken(everywhere)
    with refused(DENIED, "ROLE_TOO_LOW"):
        await local.workspaces.IssueToken(
            pb.IssueTokenRequest(workspace="team", role="viewer", subject="eve")
        )

    issued = await installation.workspaces.IssueToken(everywhere)
    assert await names(await registry.holder(issued.token)) == ["lab", "team"]


async def test_a_publisher_issues_no_tokens(lab: Client) -> None:
    with refused(DENIED, "ROLE_TOO_LOW"):
        await lab.workspaces.IssueToken(pb.IssueTokenRequest(workspace="lab", role="viewer", subject="eve"))


@pytest.mark.parametrize(
    ("changes", "code", "reason"),
    [
        ({"role": "owner"}, INVALID, "UNKNOWN_ROLE"),
        ({"subject": ""}, INVALID, "ILLEGAL_NAME"),
        ({"ttl_seconds": -1}, INVALID, "TOKEN_INVALID"),
        ({"ttl_seconds": 10**12}, INVALID, "TOKEN_INVALID"),
        ({"workspace": "nowhere"}, grpc.StatusCode.NOT_FOUND, "WORKSPACE_NOT_FOUND"),
    ],
)
async def test_a_token_that_cannot_be_made_is_refused_with_the_rule(
    registry: Installation, changes: dict[str, object], code: grpc.StatusCode, reason: str
) -> None:
    admin = await registry.client()
    fields = {"workspace": "lab", "role": "viewer", "subject": "vera", **changes}

    with refused(code, reason):
        await admin.workspaces.IssueToken(pb.IssueTokenRequest(**fields))  # type: ignore[arg-type]  # mixed


async def test_the_ledger_records_who_made_a_workspace(registry: Installation) -> None:
    admin = await registry.client(subject="root")

    await admin.make_workspace("atelier")

    (event,) = await registry.store.read_stream("workspace-atelier")
    assert event.type == "WorkspaceCreated"
    assert '"actor":"root"' in event.meta
    assert '"workspace":"atelier"' in event.meta
