"""A registry on real Postgres, asked through real gRPC, and short ways to say what tests say often."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest

from foldline.access import tokens
from foldline.api.event.v1 import registry_events_pb2 as events
from foldline.api.registry.v1 import gallery_service_pb2 as gallery
from foldline.api.registry.v1 import workflow_service_pb2 as workflows
from foldline.api.registry.v1 import workspace_service_pb2 as workspaces
from foldline.api.registry.v1.gallery_service_pb2_grpc import GalleryServiceStub
from foldline.api.registry.v1.workflow_service_pb2_grpc import WorkflowServiceStub
from foldline.api.registry.v1.workspace_service_pb2_grpc import WorkspaceServiceStub
from foldline.api.workflow.v1 import workflow_pb2
from foldline.artifacts.store import open_store
from foldline.chassis import rpc
from foldline.chassis.clock import SystemClock
from foldline.chassis.lifecycle import Lifecycle
from foldline.chassis.settings import Secret
from foldline.domain.errors import FoldlineError
from foldline.domain.spec import Function, Graph, Json, Parameter, Step
from foldline.eventstore.postgres import PostgresEventStore
from foldline.pg import connect
from foldline.pg.connect import Pool
from foldline.wire import failures, messages
from foldline_registry.app import serve

KEY = Secret("a key for tests that is long enough")
REQUIRED = Parameter(name="depth", type="int", minimum=1, maximum=9)
OPTIONAL = Parameter(name="rate", type="float", default=0.5)

T = TypeVar("T")


class Client:
    """One caller with one token."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.workspaces: Any = WorkspaceServiceStub(channel)
        self.workflows: Any = WorkflowServiceStub(channel)
        self.gallery: Any = GalleryServiceStub(channel)

    async def make_workspace(self, name: str) -> None:
        await self.workspaces.CreateWorkspace(workspaces.CreateWorkspaceRequest(workspace=name))

    async def release(self, workspace: str, **changes: Any) -> workflows.CreateReleaseResponse:
        reply: workflows.CreateReleaseResponse = await self.workflows.CreateRelease(
            release_request(workspace, **changes)
        )
        return reply

    async def configure(
        self, workspace: str, values: Mapping[str, Json], *, workflow: str = "digits", replace: bool = False
    ) -> workflows.Workflow:
        request = workflows.ConfigureWorkflowRequest(
            workspace=workspace, workflow=workflow, values=messages.to_struct(values), replace=replace
        )
        reply: workflows.ConfigureWorkflowResponse = await self.workflows.ConfigureWorkflow(request)
        return reply.workflow

    async def get(self, workspace: str, workflow: str = "digits") -> workflows.Workflow:
        request = workflows.GetWorkflowRequest(workspace=workspace, workflow=workflow)
        reply: workflows.GetWorkflowResponse = await self.workflows.GetWorkflow(request)
        return reply.workflow

    async def resolve(
        self, workspace: str, values: Mapping[str, Json] | None = None, workflow: str = "digits"
    ) -> workflows.ResolveRunResponse:
        request = workflows.ResolveRunRequest(
            workspace=workspace, workflow=workflow, values=messages.to_struct(values or {})
        )
        reply: workflows.ResolveRunResponse = await self.workflows.ResolveRun(request)
        return reply

    async def publish(self, workspace: str, **fields: Any) -> gallery.Asset:
        request = gallery.PublishAssetRequest(workspace=workspace, **{"workflow": "digits", **fields})
        reply: gallery.PublishAssetResponse = await self.gallery.PublishAsset(request)
        return reply.asset

    async def assets(self, workspace: str, query: str = "") -> list[str]:
        request = gallery.ListAssetsRequest(workspace=workspace, query=query)
        reply: gallery.ListAssetsResponse = await self.gallery.ListAssets(request)
        return [f"{asset.publisher}/{asset.name}" for asset in reply.assets]

    async def get_asset(
        self, workspace: str, publisher: str = "lab", asset: str = "digits"
    ) -> gallery.GetAssetResponse:
        request = gallery.GetAssetRequest(workspace=workspace, publisher=publisher, asset=asset)
        reply: gallery.GetAssetResponse = await self.gallery.GetAsset(request)
        return reply

    async def subscribe(
        self, workspace: str, accept: Sequence[str] = (), publisher: str = "lab", asset: str = "digits"
    ) -> gallery.Subscription:
        request = gallery.SubscribeRequest(
            workspace=workspace, publisher=publisher, asset=asset, accept=accept
        )
        reply: gallery.SubscribeResponse = await self.gallery.Subscribe(request)
        return reply.subscription

    async def import_asset(self, workspace: str, **fields: Any) -> workflows.Workflow:
        request = gallery.ImportAssetRequest(
            workspace=workspace, **{"publisher": "lab", "asset": "digits", **fields}
        )
        reply: gallery.ImportAssetResponse = await self.gallery.ImportAsset(request)
        return reply.workflow


class Installation:
    """A running registry, and the ledger that it writes."""

    def __init__(self, dsn: str, artifacts: Path, stack: AsyncExitStack) -> None:
        self.dsn = dsn
        self.artifacts = artifacts
        self._stack = stack
        self._running = AsyncExitStack()
        self.life = Lifecycle()
        self.pool: Pool
        self.store: PostgresEventStore
        self.port = 0

    async def start(self) -> None:
        self._running = AsyncExitStack()
        enter = self._running.enter_async_context
        self.life = Lifecycle()
        self.pool = await enter(connect.pool(self.dsn, role="foldline_registry", name="test", max_size=8))
        self.store = await enter(PostgresEventStore(self.pool, self.dsn))
        self.port = await enter(
            serve(
                self.life,
                listen="127.0.0.1:0",
                key=KEY,
                pool=self.pool,
                store=self.store,
                artifacts=open_store(str(self.artifacts)),
                clock=SystemClock(),
            )
        )
        self.life.ready.set()

    async def stop(self) -> None:
        await self._running.aclose()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def client(self, *, subject: str = "ada", **grants: str) -> Client:
        """Someone with a role per workspace; without any, the installation's admin."""
        token = tokens.issue(
            KEY,
            subject=subject,
            grants=grants or {"*": "admin"},
            ttl_seconds=600,
            now=SystemClock().now(),
        )
        return await self.holder(token)

    async def holder(self, token: str) -> Client:
        """Someone with this very token."""
        return Client(await self._stack.enter_async_context(rpc.channel(f"127.0.0.1:{self.port}", token)))


@asynccontextmanager
async def installation(dsn: str, artifacts: Path) -> AsyncIterator[Installation]:
    async with AsyncExitStack() as stack:
        opened = Installation(dsn, artifacts, stack)
        await opened.start()
        stack.push_async_callback(opened.stop)
        yield opened


def a_graph(name: str = "digits", **changes: Any) -> Graph:
    fields: dict[str, Any] = {
        "name": name,
        "title": "Handwritten digits",
        "parameters": (REQUIRED, OPTIONAL),
        "steps": (Step(name="train", kind="function", function=Function(module="digits", name="train")),),
    }
    return Graph(**{**fields, **changes})


def a_bundle(files: Mapping[str, str] | None = None) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in (files or {"digits.py": "def train() -> None: ..."}).items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return content.getvalue()


def release_request(workspace: str, **changes: Any) -> workflows.CreateReleaseRequest:
    fields: dict[str, Any] = {
        "graph": a_graph(),
        "bundle": a_bundle(),
        "environment": workflow_pb2.Environment(python="3.11"),
        "docs": "# Digits",
    }
    fields |= changes
    if isinstance(fields["graph"], Graph):
        fields["graph"] = messages.to_message(fields["graph"], workflow_pb2.Graph)
    return workflows.CreateReleaseRequest(workspace=workspace, **fields)


def terms(text: str = "Be kind.") -> events.Agreement:
    return events.Agreement(name="terms", text=text)


class Refusal:
    """What a call was refused with, filled in when the `with` block ends."""

    error: FoldlineError


class refused(Refusal):  # noqa: N801 - reads as a verb: `with refused(code, reason) as refusal`
    """The block's call is answered with this code and this reason."""

    def __init__(self, code: grpc.StatusCode, reason: str) -> None:
        self._code = code
        self._reason = reason

    def __enter__(self) -> Refusal:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if error is not None and not isinstance(error, grpc.aio.AioRpcError):
            return False
        if error is None:
            pytest.fail(f"the call was answered, not refused with {self._reason}")
        self.error = failures.from_rpc_error(error)
        assert (error.code(), self.error.reason) == (self._code, self._reason), error.details()
        return True
