"""WorkspaceService."""
# ruff: noqa: N802 - the names in the proto

from __future__ import annotations

from typing import Any

from foldline.api.registry.v1 import workspace_service_pb2 as pb
from foldline.api.registry.v1.workspace_service_pb2_grpc import WorkspaceServiceServicer
from foldline_registry.handlers.workspaces import Workspaces
from foldline_registry.servicers import replies


class WorkspaceServicer(WorkspaceServiceServicer):
    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces

    async def CreateWorkspace(
        self, request: pb.CreateWorkspaceRequest, _context: Any
    ) -> pb.CreateWorkspaceResponse:
        state = await self._workspaces.create(request.workspace, title=request.title)
        return pb.CreateWorkspaceResponse(workspace=replies.workspace(state))

    async def ListWorkspaces(
        self, _request: pb.ListWorkspacesRequest, _context: Any
    ) -> pb.ListWorkspacesResponse:
        states = await self._workspaces.list()
        return pb.ListWorkspacesResponse(workspaces=[replies.workspace(state) for state in states])

    async def IssueToken(self, request: pb.IssueTokenRequest, _context: Any) -> pb.IssueTokenResponse:
        token = await self._workspaces.issue_token(
            request.workspace, role=request.role, subject=request.subject, ttl_seconds=request.ttl_seconds
        )
        return pb.IssueTokenResponse(token=token)
