"""WorkflowService through gRPC on Postgres: configuration, resolving, lists."""

from __future__ import annotations

import asyncio
import contextlib

import grpc
import pytest
from tests.integration.registry.installation import (
    OPTIONAL,
    REQUIRED,
    Client,
    Installation,
    a_graph,
    refused,
)

from foldline.api.registry.v1 import workflow_service_pb2 as pb
from foldline.domain.spec import Json, Parameter
from foldline.wire import messages

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


def values(workflow: pb.Workflow) -> dict[str, Json]:
    return messages.from_struct(workflow.values)


async def pages(client: Client, workspace: str, size: int) -> list[list[str]]:
    found: list[list[str]] = []
    token = ""
    while True:
        request = pb.ListWorkflowsRequest(workspace=workspace, page_size=size, page_token=token)
        reply = await client.workflows.ListWorkflows(request)
        found.append([workflow.name for workflow in reply.workflows])
        token = reply.next_page_token
        if not token:
            return found


async def test_values_may_be_saved_one_by_one(lab: Client) -> None:
    await lab.release("lab")

    partial = await lab.configure("lab", {"rate": 0.25})
    complete = await lab.configure("lab", {"depth": 3})

    assert (values(partial), list(partial.missing)) == ({"rate": 0.25}, ["depth"])
    assert (values(complete), list(complete.missing)) == ({"depth": 3, "rate": 0.25}, [])
    assert await lab.get("lab") == complete


async def test_null_takes_a_saved_value_away(lab: Client) -> None:
    await lab.release("lab")
    await lab.configure("lab", {"depth": 3, "rate": 0.25})

    workflow = await lab.configure("lab", {"depth": None})

    assert (values(workflow), list(workflow.missing)) == ({"rate": 0.25}, ["depth"])


async def test_replace_forgets_everything_saved_before(lab: Client) -> None:
    await lab.release("lab")
    await lab.configure("lab", {"depth": 3, "rate": 0.25})

    workflow = await lab.configure("lab", {"depth": 4}, replace=True)

    assert values(workflow) == {"depth": 4}


async def test_saving_what_is_saved_already_writes_nothing(registry: Installation, lab: Client) -> None:
    await lab.release("lab")
    await lab.configure("lab", {"depth": 3})

    await lab.configure("lab", {"depth": 3})

    history = await registry.store.read_stream("workflow-lab.digits")
    assert [event.type for event in history] == ["WorkflowCreated", "WorkflowReleased", "WorkflowConfigured"]


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"deph": 3}, "parameter deph is not a parameter of the workflow; did you mean depth?"),
        ({"deph": None}, "parameter deph is not a parameter of the workflow; did you mean depth?"),
        ({"depth": 0}, "parameter depth is 0, but must be at least 1"),
        ({"depth": 2.5}, "parameter depth is 2.5, but must be a whole number"),
        ({"depth": "3"}, 'parameter depth is "3", but must be a whole number'),
        ({"rate": True}, "parameter rate is true, but must be a number"),
    ],
)
async def test_a_value_that_does_not_fit_is_refused_and_nothing_is_saved(
    lab: Client, given: dict[str, Json], rule: str
) -> None:
    await lab.release("lab")
    await lab.configure("lab", {"depth": 3})

    with refused(INVALID, "INVALID_PARAMETERS") as refusal:
        await lab.configure("lab", {"rate": 0.25, **given})

    assert rule in refusal.error.message
    assert values(await lab.get("lab")) == {"depth": 3}


async def test_all_problems_come_at_once(lab: Client) -> None:
    await lab.release("lab")

    with refused(INVALID, "INVALID_PARAMETERS") as refusal:
        await lab.configure("lab", {"depth": 0, "rate": "fast", "speed": 1})

    assert set(refusal.error.fields) == {"parameter depth", "parameter rate", "parameter speed"}


async def test_a_run_gets_given_values_over_saved_ones_over_defaults(lab: Client) -> None:
    release = (await lab.release("lab", region="north")).release
    await lab.configure("lab", {"depth": 3, "rate": 0.25})

    saved = await lab.resolve("lab")
    given = await lab.resolve("lab", {"depth": 4})
    default = await lab.resolve("lab", {"rate": None})

    assert messages.from_struct(saved.parameters) == {"depth": 3, "rate": 0.25}
    assert messages.from_struct(given.parameters) == {"depth": 4, "rate": 0.25}
    assert messages.from_struct(default.parameters) == {"depth": 3, "rate": 0.5}
    assert saved.release == release
    assert saved.region == "north"


async def test_resolving_saves_nothing(registry: Installation, lab: Client) -> None:
    await lab.release("lab")

    await lab.resolve("lab", {"depth": 4})

    assert values(await lab.get("lab")) == {}
    assert len(await registry.store.read_stream("workflow-lab.digits")) == 2


async def test_a_run_without_its_required_values_is_refused_naming_them(lab: Client) -> None:
    parameters = (REQUIRED, OPTIONAL, Parameter(name="label", type="str"))
    await lab.release("lab", graph=a_graph(parameters=parameters))

    with refused(PRECONDITION, "PARAMETERS_MISSING") as refusal:
        await lab.resolve("lab")

    assert refusal.error.message.startswith("workflow digits needs values for depth, label:")
    assert refusal.error.fields["missing"] == "depth,label"


async def test_a_run_with_values_that_do_not_fit_is_refused(lab: Client) -> None:
    await lab.release("lab")

    with refused(INVALID, "INVALID_PARAMETERS") as refusal:
        await lab.resolve("lab", {"depth": 10, "speed": 1})

    assert "must be at most 9" in refusal.error.message
    assert "speed is not a parameter" in refusal.error.message


async def test_a_workflow_of_another_workspace_is_not_found(registry: Installation, lab: Client) -> None:
    await lab.release("lab")
    both = await registry.client(lab="admin", team="admin")

    for call in (
        both.get("team"),
        both.configure("team", {}),
        both.resolve("team"),
        both.publish("team"),
        both.workflows.GetRelease(pb.GetReleaseRequest(workspace="team", workflow="digits")),
        both.workflows.ListReleases(pb.ListReleasesRequest(workspace="team", workflow="digits")),
    ):
        with refused(NOT_FOUND, "WORKFLOW_NOT_FOUND") as refusal:
            await call
        assert refusal.error.message == "workspace team has no workflow digits"
    assert await pages(both, "team", 0) == [[]]


async def test_a_token_of_another_workspace_is_refused(lab: Client, team: Client) -> None:
    await lab.release("lab")

    for call in (team.get("lab"), team.configure("lab", {}), team.resolve("lab"), team.publish("lab")):
        with refused(grpc.StatusCode.PERMISSION_DENIED, "ROLE_TOO_LOW"):
            await call


async def test_names_cannot_be_used_to_reach_another_stream(registry: Installation, lab: Client) -> None:
    await lab.release("lab")
    everywhere = await registry.client()

    for workspace, workflow in (("lab", "digits.x"), ("lab.digits", "x"), ("lab", ""), ("*", "digits")):
        with refused(INVALID, "ILLEGAL_NAME"):
            await everywhere.get(workspace, workflow)


async def test_lists_are_ordered_by_name_and_show_what_get_shows(lab: Client) -> None:
    for name in ("zebra", "Ape", "cat"):
        await lab.release("lab", graph=a_graph(name))
    await lab.configure("lab", {"depth": 3}, workflow="cat")

    listed = (await lab.workflows.ListWorkflows(pb.ListWorkflowsRequest(workspace="lab"))).workflows

    assert [workflow.name for workflow in listed] == ["Ape", "cat", "zebra"]
    assert list(listed) == [await lab.get("lab", name) for name in ("Ape", "cat", "zebra")]


async def test_pages_neither_repeat_nor_skip_even_when_the_list_grows(lab: Client) -> None:
    for number in range(5):
        await lab.release("lab", graph=a_graph(f"flow-{number}"))
    request = pb.ListWorkflowsRequest(workspace="lab", page_size=2)
    first = await lab.workflows.ListWorkflows(request)

    await lab.release("lab", graph=a_graph("flow-0-more"))

    request.page_token = first.next_page_token
    second = await lab.workflows.ListWorkflows(request)
    assert [workflow.name for workflow in first.workflows] == ["flow-0", "flow-1"]
    assert [workflow.name for workflow in second.workflows] == ["flow-2", "flow-3"]
    assert await pages(lab, "lab", 4) == [["flow-0", "flow-0-more", "flow-1", "flow-2"], ["flow-3", "flow-4"]]
    assert await pages(lab, "lab", 3) == [["flow-0", "flow-0-more", "flow-1"], ["flow-2", "flow-3", "flow-4"]]


async def test_a_page_token_belongs_to_its_list(registry: Installation, lab: Client) -> None:
    both = await registry.client(lab="publisher", team="developer")
    for name in ("one", "two"):
        await both.release("lab", graph=a_graph(name))
    first = await both.workflows.ListWorkflows(pb.ListWorkflowsRequest(workspace="lab", page_size=1))

    for workspace, token in (("team", first.next_page_token), ("lab", "nonsense"), ("lab", "ü")):
        with refused(INVALID, "ILLEGAL_PAGE_TOKEN"):
            await both.workflows.ListWorkflows(
                pb.ListWorkflowsRequest(workspace=workspace, page_size=1, page_token=token)
            )
    with refused(INVALID, "ILLEGAL_PAGE_SIZE"):
        await both.workflows.ListWorkflows(pb.ListWorkflowsRequest(workspace="lab", page_size=-1))


async def test_concurrent_configurations_all_count(lab: Client) -> None:
    parameters = tuple(Parameter(name=f"p{number}", type="int", default=0) for number in range(6))
    await lab.release("lab", graph=a_graph(parameters=parameters))

    await asyncio.gather(*(lab.configure("lab", {f"p{number}": number}) for number in range(6)))

    assert values(await lab.get("lab")) == {f"p{number}": number for number in range(6)}


async def test_configurations_are_checked_against_the_release_that_is_current_when_they_are_written(
    lab: Client,
) -> None:
    """Values and releases race; whoever is later, what is saved fits what is current."""

    async def try_to_configure(depth: int) -> None:
        with contextlib.suppress(grpc.aio.AioRpcError):
            await lab.configure("lab", {"depth": depth})

    narrow = a_graph(parameters=(Parameter(name="depth", type="int", maximum=2),))
    await lab.release("lab")

    async with asyncio.TaskGroup() as tasks:
        releasing = tasks.create_task(lab.release("lab", graph=narrow))
        for depth in range(3, 10):
            tasks.create_task(try_to_configure(depth))

    workflow = await lab.get("lab")
    assert workflow.release == releasing.result().release.digest
    assert int(str(values(workflow).get("depth", 0))) <= 2


async def test_the_ledger_records_who_configured(registry: Installation, lab: Client) -> None:
    await lab.release("lab")
    operator = await registry.client(subject="oda", lab="operator")

    await operator.configure("lab", {"depth": 3})

    last = (await registry.store.read_stream("workflow-lab.digits"))[-1]
    assert '"actor":"oda"' in last.meta
    assert last.payload == '{"values":{"depth":3}}'
