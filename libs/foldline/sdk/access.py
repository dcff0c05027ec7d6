"""Workspaces and tokens, as the client sees them."""

from __future__ import annotations

import grpc

from foldline.api.registry.v1 import workspace_service_pb2 as pb
from foldline.api.registry.v1.workspace_service_pb2_grpc import WorkspaceServiceStub
from foldline.sdk.calls import ask


class Workspaces:
    """The workspaces of an installation that the token may see."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = WorkspaceServiceStub(channel)

    async def create(self, workspace: str, title: str = "") -> pb.Workspace:
        """Needs admin of the installation."""
        request = pb.CreateWorkspaceRequest(workspace=workspace, title=title)
        return (await ask(self._stub.CreateWorkspace, request)).workspace

    async def list(self) -> list[pb.Workspace]:
        return list((await ask(self._stub.ListWorkspaces, pb.ListWorkspacesRequest())).workspaces)

    async def issue_token(self, workspace: str, *, role: str, subject: str, ttl_seconds: int = 0) -> str:
        """A bearer token with a role in one workspace; it is shown once and stored nowhere."""
        request = pb.IssueTokenRequest(
            workspace=workspace, role=role, subject=subject, ttl_seconds=ttl_seconds
        )
        return (await ask(self._stub.IssueToken, request)).token
