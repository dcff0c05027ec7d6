"""Workflows, releases and the gallery, as the client sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import grpc

from foldline.api.registry.v1 import gallery_service_pb2 as gallery
from foldline.api.registry.v1 import workflow_service_pb2 as pb
from foldline.api.registry.v1.gallery_service_pb2_grpc import GalleryServiceStub
from foldline.api.registry.v1.workflow_service_pb2_grpc import WorkflowServiceStub
from foldline.api.workflow.v1 import workflow_pb2
from foldline.domain.registry_events import Agreement
from foldline.domain.spec import Environment, Graph, Json
from foldline.sdk.calls import ask
from foldline.wire import messages


class Workflows:
    """Workflows of one workspace: releases and saved configuration."""

    def __init__(self, channel: grpc.aio.Channel, workspace: str) -> None:
        self._stub = WorkflowServiceStub(channel)
        self._workspace = workspace

    async def release(
        self, graph: Graph, *, bundle: bytes, environment: Environment, docs: str = "", region: str = ""
    ) -> pb.CreateReleaseResponse:
        """Make an immutable release and the workflow's current one; the same content is the same release."""
        request = pb.CreateReleaseRequest(
            workspace=self._workspace,
            graph=messages.to_message(graph, workflow_pb2.Graph),
            bundle=bundle,
            environment=messages.to_message(environment, workflow_pb2.Environment),
            docs=docs,
            region=region,
        )
        return await ask(self._stub.CreateRelease, request)

    async def get_release(self, workflow: str, release: str = "") -> pb.Release:
        """A release with its graph; the current one without a digest."""
        request = pb.GetReleaseRequest(workspace=self._workspace, workflow=workflow, release=release)
        return (await ask(self._stub.GetRelease, request)).release

    async def get(self, workflow: str) -> pb.Workflow:
        request = pb.GetWorkflowRequest(workspace=self._workspace, workflow=workflow)
        return (await ask(self._stub.GetWorkflow, request)).workflow

    async def list(self) -> list[pb.Workflow]:
        """All of them, by name."""
        found: list[pb.Workflow] = []
        token = ""
        while True:
            request = pb.ListWorkflowsRequest(workspace=self._workspace, page_size=500, page_token=token)
            page = await ask(self._stub.ListWorkflows, request)
            found.extend(page.workflows)
            token = page.next_page_token
            if not token:
                return found

    async def configure(
        self, workflow: str, values: Mapping[str, Json], *, replace: bool = False
    ) -> pb.Workflow:
        """Save parameter values; None removes a saved one, `replace` forgets all others."""
        request = pb.ConfigureWorkflowRequest(
            workspace=self._workspace,
            workflow=workflow,
            values=messages.to_struct(values),
            replace=replace,
        )
        return (await ask(self._stub.ConfigureWorkflow, request)).workflow


class Gallery:
    """Assets that one workspace publishes, sees, subscribes to and imports."""

    def __init__(self, channel: grpc.aio.Channel, workspace: str) -> None:
        self._stub = GalleryServiceStub(channel)
        self._workspace = workspace

    async def publish(
        self,
        workflow: str,
        *,
        asset: str = "",
        version: str = "",
        title: str = "",
        notes: str = "",
        visibility: str = "",
        workspaces: Sequence[str] = (),
        agreements: Sequence[Agreement] = (),
    ) -> gallery.Asset:
        """Publish the workflow's current release as a version of an asset."""
        request = gallery.PublishAssetRequest(
            workspace=self._workspace,
            workflow=workflow,
            asset=asset,
            title=title,
            version=version,
            notes=notes,
            visibility=visibility,
            workspaces=workspaces,
        )
        for agreement in agreements:
            request.agreements.add(name=agreement.name, text=agreement.text)
        return (await ask(self._stub.PublishAsset, request)).asset

    async def set_visibility(
        self, asset: str, visibility: str, workspaces: Sequence[str] = ()
    ) -> gallery.Asset:
        """Who may see it: "public", "group" (the given workspaces) or "private"."""
        request = gallery.SetVisibilityRequest(
            workspace=self._workspace, asset=asset, visibility=visibility, workspaces=workspaces
        )
        return (await ask(self._stub.SetVisibility, request)).asset

    async def list(self, query: str = "") -> list[gallery.Asset]:
        """What the workspace may see and all words of `query` fit."""
        found: list[gallery.Asset] = []
        token = ""
        while True:
            request = gallery.ListAssetsRequest(
                workspace=self._workspace, query=query, page_size=500, page_token=token
            )
            page = await ask(self._stub.ListAssets, request)
            found.extend(page.assets)
            token = page.next_page_token
            if not token:
                return found

    async def get(self, publisher: str, asset: str) -> gallery.GetAssetResponse:
        request = gallery.GetAssetRequest(workspace=self._workspace, publisher=publisher, asset=asset)
        return await ask(self._stub.GetAsset, request)

    async def subscribe(self, publisher: str, asset: str, accept: Sequence[str] = ()) -> gallery.Subscription:
        """Subscribe, accepting the agreements named."""
        request = gallery.SubscribeRequest(
            workspace=self._workspace, publisher=publisher, asset=asset, accept=accept
        )
        return (await ask(self._stub.Subscribe, request)).subscription

    async def unsubscribe(self, publisher: str, asset: str) -> None:
        request = gallery.UnsubscribeRequest(workspace=self._workspace, publisher=publisher, asset=asset)
        await ask(self._stub.Unsubscribe, request)

    async def import_asset(
        self, publisher: str, asset: str, *, version: str = "", workflow: str = "", region: str = ""
    ) -> pb.Workflow:
        """Make an independent workflow of a version (the newest without one) of a subscribed asset."""
        request = gallery.ImportAssetRequest(
            workspace=self._workspace,
            publisher=publisher,
            asset=asset,
            version=version,
            workflow=workflow,
            region=region,
        )
        return (await ask(self._stub.ImportAsset, request)).workflow
