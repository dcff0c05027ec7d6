"""What exactly runs: asked of the registry with the caller's own token, and never again later."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import grpc
from msgspec import Struct

from foldline.access import bearer_metadata
from foldline.api.registry.v1 import workflow_service_pb2 as pb
from foldline.api.registry.v1.workflow_service_pb2_grpc import WorkflowServiceStub
from foldline.domain.fork import Code
from foldline.domain.spec import Graph, Json
from foldline.wire import failures, messages

RESOLVE_SECONDS = 10.0

KEPT = 200
"""Releases whose code is remembered: a release never changes."""


class Resolved(Struct, frozen=True):
    """What a start of the workflow runs now."""

    code: Code
    parameters: dict[str, Json]
    region: str


class Releases:
    def __init__(self, registry: grpc.aio.Channel) -> None:
        self._registry = WorkflowServiceStub(registry)
        self._codes: dict[str, Code] = {}

    async def resolve(
        self, workspace: str, workflow: str, values: Mapping[str, Json], *, allow_missing: bool
    ) -> Resolved:
        """The current release with the saved configuration and `values` over it."""
        question = pb.ResolveRunRequest(
            workspace=workspace,
            workflow=workflow,
            values=messages.to_struct(values),
            allow_missing=allow_missing,
        )
        async with _translated():
            answer = await self._registry.ResolveRun(
                question, timeout=RESOLVE_SECONDS, metadata=bearer_metadata()
            )
        return Resolved(self._code(answer.release), messages.from_struct(answer.parameters), answer.region)

    async def find(self, workspace: str, workflow: str, digest: str) -> Code:
        """A release by its digest; an empty one means the current release."""
        question = pb.GetReleaseRequest(workspace=workspace, workflow=workflow, release=digest)
        async with _translated():
            answer = await self._registry.GetRelease(
                question, timeout=RESOLVE_SECONDS, metadata=bearer_metadata()
            )
        return self._code(answer.release)

    def _code(self, release: pb.Release) -> Code:
        known = self._codes.get(release.digest)
        if known is None:
            if len(self._codes) >= KEPT:
                self._codes.clear()
            known = self._codes[release.digest] = Code(
                release=release.digest,
                graph=messages.from_message(release.graph, Graph),
                bundle=release.bundle,
                environment=release.environment,
            )
        return known


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise failures.from_rpc_error(error) from error
