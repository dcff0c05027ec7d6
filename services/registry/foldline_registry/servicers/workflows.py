"""WorkflowService."""
# ruff: noqa: N802 - the names in the proto

from __future__ import annotations

from typing import Any

from foldline.api.registry.v1 import workflow_service_pb2 as pb
from foldline.api.registry.v1.workflow_service_pb2_grpc import WorkflowServiceServicer
from foldline.domain.spec import Environment, Graph
from foldline.wire import messages
from foldline_registry import streams
from foldline_registry.drafts import Draft
from foldline_registry.handlers.releases import Releases
from foldline_registry.handlers.workflows import Workflows
from foldline_registry.servicers import replies


class WorkflowServicer(WorkflowServiceServicer):
    def __init__(self, workflows: Workflows, releases: Releases) -> None:
        self._workflows = workflows
        self._releases = releases

    async def CreateRelease(
        self, request: pb.CreateReleaseRequest, _context: Any
    ) -> pb.CreateReleaseResponse:
        draft = Draft(
            graph=messages.from_message(request.graph, Graph),
            bundle=request.bundle,
            environment=messages.from_message(request.environment, Environment),
            docs=request.docs,
        )
        release, workflow, changed = await self._releases.create(
            request.workspace, draft, region=request.region
        )
        number = workflow.number_of(release.release)
        return pb.CreateReleaseResponse(release=replies.release(release, number=number), created=changed)

    async def GetRelease(self, request: pb.GetReleaseRequest, _context: Any) -> pb.GetReleaseResponse:
        release, workflow = await self._releases.get(request.workspace, request.workflow, request.release)
        number = workflow.number_of(release.release)
        return pb.GetReleaseResponse(release=replies.release(release, number=number))

    async def ListReleases(self, request: pb.ListReleasesRequest, _context: Any) -> pb.ListReleasesResponse:
        found = await self._releases.list(request.workspace, request.workflow)
        return pb.ListReleasesResponse(
            releases=[replies.release(release, number=number) for release, number in found]
        )

    async def GetWorkflow(self, request: pb.GetWorkflowRequest, _context: Any) -> pb.GetWorkflowResponse:
        workflow, release = await self._workflows.get(request.workspace, request.workflow)
        return pb.GetWorkflowResponse(workflow=replies.workflow(workflow, release))

    async def ListWorkflows(
        self, request: pb.ListWorkflowsRequest, _context: Any
    ) -> pb.ListWorkflowsResponse:
        page = await self._workflows.list(
            request.workspace, page_size=request.page_size, page_token=request.page_token
        )
        return pb.ListWorkflowsResponse(
            workflows=[replies.workflow(workflow, release) for workflow, release in page.items],
            next_page_token=page.next_token,
        )

    async def ConfigureWorkflow(
        self, request: pb.ConfigureWorkflowRequest, _context: Any
    ) -> pb.ConfigureWorkflowResponse:
        workflow, release = await self._workflows.configure(
            request.workspace,
            request.workflow,
            values=messages.from_struct(request.values),
            replace=request.replace,
        )
        return pb.ConfigureWorkflowResponse(workflow=replies.workflow(workflow, release))

    async def ResolveRun(self, request: pb.ResolveRunRequest, _context: Any) -> pb.ResolveRunResponse:
        found = await self._workflows.resolve(
            request.workspace,
            request.workflow,
            values=messages.from_struct(request.values),
            allow_missing=request.allow_missing,
        )
        return pb.ResolveRunResponse(
            release=replies.release(found.release, number=found.workflow.number),
            parameters=messages.to_struct(found.parameters),
            region=found.workflow.region,
            stream=streams.workflow(request.workspace, request.workflow),
            version=found.workflow.revision,
        )
