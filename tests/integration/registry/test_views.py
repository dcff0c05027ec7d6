"""The read models: rebuilt from the ledger alone, shared by replicas, caught up before a command answers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import grpc
from tests.integration.registry.installation import (
    Client,
    Installation,
    a_graph,
    installation,
    terms,
)
from tests.servers import Running
from tests.waiting import until

from foldline.api.registry.v1 import gallery_service_pb2 as gallery
from foldline.api.registry.v1 import workflow_service_pb2 as workflows
from foldline.api.registry.v1 import workspace_service_pb2 as workspaces
from foldline.cli.stack.postgres import EmbeddedPostgres
from foldline.pg import migrate

TABLES = ("workspaces", "releases", "workflows", "assets", "subscriptions")


async def everything_listed(client: Client) -> list[bytes]:
    """All replies of all lists, byte for byte."""
    stubs = client.workflows, client.gallery
    replies = [await client.workspaces.ListWorkspaces(workspaces.ListWorkspacesRequest())]
    for workspace in ("lab", "team"):
        replies += [
            await stubs[0].ListWorkflows(workflows.ListWorkflowsRequest(workspace=workspace)),
            await stubs[0].ListReleases(
                workflows.ListReleasesRequest(workspace=workspace, workflow="digits")
            ),
            await stubs[1].ListAssets(gallery.ListAssetsRequest(workspace=workspace)),
            await stubs[1].ListSubscriptions(gallery.ListSubscriptionsRequest(workspace=workspace)),
        ]
    return [reply.SerializeToString(deterministic=True) for reply in replies]


async def fill(lab: Client, team: Client) -> None:
    """Something of everything."""
    await lab.release("lab")
    await lab.configure("lab", {"depth": 3, "rate": 0.25})
    await lab.release("lab", docs="# Better \0 than before", graph=a_graph(title="Zero \0 byte"))
    await lab.publish("lab", visibility="public", agreements=[terms()])
    await lab.publish("lab", visibility="group", workspaces=["team"], notes="For you.")
    await team.subscribe("team", ["terms"])
    await team.import_asset("team")
    await lab.subscribe("lab")
    await lab.gallery.Unsubscribe(
        gallery.UnsubscribeRequest(workspace="lab", publisher="lab", asset="digits")
    )


async def rows(dsn: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        tables = [await connection.fetch(f"select * from registry.{name} order by stream") for name in TABLES]
        return [row for table in tables for row in table]
    finally:
        await connection.close()


async def test_a_dropped_schema_comes_back_the_same_from_the_ledger(
    registry: Installation, lab: Client, team: Client
) -> None:
    await fill(lab, team)
    everybody = await registry.client()
    listed, stored = await everything_listed(everybody), [str(row) for row in await rows(registry.dsn)]
    assert len(stored) == 9

    await registry.stop()
    connection = await asyncpg.connect(registry.dsn)
    await connection.execute("drop schema registry cascade")
    await connection.close()
    await migrate.apply(registry.dsn, [migrate.owner_of("registry")])
    await registry.start()

    async def is_the_same() -> None:
        assert [str(row) for row in await rows(registry.dsn)] == stored

    await until(is_the_same)
    assert await everything_listed(await registry.client()) == listed


async def test_a_restart_goes_on_where_it_stopped(registry: Installation, lab: Client, team: Client) -> None:
    await fill(lab, team)
    stored = [str(row) for row in await rows(registry.dsn)]

    await registry.restart()
    again = await registry.client()
    await again.make_workspace("atelier")

    assert stored == [str(row) for row in await rows(registry.dsn) if row["stream"] != "workspace-atelier"]


async def test_every_reply_is_followed_by_a_list_that_has_it(lab: Client) -> None:
    for number in range(20):
        await lab.release("lab", graph=a_graph(f"flow-{number:02}"))
        await lab.configure("lab", {"depth": 1 + number % 9}, workflow=f"flow-{number:02}")

        listed = await lab.workflows.ListWorkflows(workflows.ListWorkflowsRequest(workspace="lab"))

        assert len(listed.workflows) == number + 1
        assert listed.workflows[-1] == await lab.get("lab", f"flow-{number:02}")


async def test_replicas_share_the_read_models_and_each_shows_what_it_answered(
    registry: Installation, tmp_path: Path
) -> None:
    async with installation(registry.dsn, tmp_path / "artifacts") as replica:
        clients = [await registry.client(), await replica.client()]

        async def make(number: int) -> None:
            client = clients[number % 2]
            await client.make_workspace(f"w{number:02}")
            listed = await client.workspaces.ListWorkspaces(workspaces.ListWorkspacesRequest())
            assert f"w{number:02}" in [workspace.name for workspace in listed.workspaces]

        async with asyncio.TaskGroup() as tasks:
            for number in range(40):
                tasks.create_task(make(number))

        everywhere = [await everything_workspaces(client) for client in clients]
    assert everywhere[0] == everywhere[1]
    assert len(everywhere[0]) == 42


async def everything_workspaces(client: Client) -> list[str]:
    listed = await client.workspaces.ListWorkspaces(workspaces.ListWorkspacesRequest())
    return [workspace.name for workspace in listed.workspaces]


async def test_while_postgres_is_down_calls_are_unavailable_and_afterwards_all_goes_on(
    own_postgres: Running[EmbeddedPostgres], tmp_path: Path
) -> None:
    async with installation(own_postgres.server.dsn(), tmp_path / "artifacts") as registry:
        admin = await registry.client()
        await admin.make_workspace("lab")

        own_postgres.kill()
        codes = set()
        for call in (admin.make_workspace("team"), admin.get("lab"), everything_workspaces(admin)):
            try:
                await call
            except grpc.aio.AioRpcError as error:
                codes.add(error.code())
        problems = await registry.life.problems()
        own_postgres.start()

        async def works() -> None:
            try:
                await admin.release("lab")
            except grpc.aio.AioRpcError as error:
                raise AssertionError(error.details()) from error

        await until(works, 30)
        listed = await admin.workflows.ListWorkflows(workflows.ListWorkflowsRequest(workspace="lab"))

        async def is_ready() -> None:
            assert await registry.life.problems() == {}

        await until(is_ready)
    assert codes == {grpc.StatusCode.UNAVAILABLE}
    assert "postgres" in problems
    assert [workflow.name for workflow in listed.workflows] == ["digits"]
