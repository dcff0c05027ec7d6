"""What exactly runs: asked of the registry with the caller's own token, and never again later.

The registry says up to which event of the workflow its answer goes. The same question is answered from memory
after that, for whoever may ask it, when the ledger says that there is no newer event: a run never gets
anything but what the registry would have said.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
from msgspec import Struct

from foldline.access import bearer_metadata, caller, policy
from foldline.api.registry.v1 import workflow_service_pb2 as pb
from foldline.api.registry.v1.workflow_service_pb2_grpc import WorkflowServiceStub
from foldline.domain.fork import Code
from foldline.domain.spec import Graph, Json
from foldline.wire import failures, messages
from foldline_scheduler.heads import Heads

RESOLVE_SECONDS = 10.0

KEPT = 200
"""Releases whose code is remembered (a release never changes), and answers."""
KEPT_BYTES = 16 * 1024
"""A question or an answer with more values is not remembered."""
_RESOLVE = "/foldline.api.registry.v1.WorkflowService/ResolveRun"


class Resolved(Struct, frozen=True):
    """What a start of the workflow runs now."""

    code: Code
    parameters: dict[str, Json]
    region: str


class _Answer(Struct, frozen=True):
    """It holds while this is the newest version of the stream."""

    resolved: Resolved
    stream: str
    version: int


class Releases:
    def __init__(self, registry: grpc.aio.Channel, heads: Heads) -> None:
        self._registry = WorkflowServiceStub(registry)
        self._heads = heads
        self._codes: dict[str, Code] = {}
        self._answers: dict[bytes, _Answer] = {}

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
        asked = question.SerializeToString(deterministic=True)
        known = self._answers.get(asked)
        if known is not None:
            policy.check(caller(), _RESOLVE, workspace)
            if await self._heads.version(known.stream) == known.version:
                return known.resolved
        async with _translated():
            answer = await self._registry.ResolveRun(
                question, timeout=RESOLVE_SECONDS, metadata=bearer_metadata()
            )
        resolved = Resolved(
            self._code(answer.release), messages.from_struct(answer.parameters), answer.region
        )
        if answer.stream and max(len(asked), answer.parameters.ByteSize()) <= KEPT_BYTES:
            _make_room(self._answers)
            self._answers[asked] = _Answer(resolved, answer.stream, answer.version)
        return resolved

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
            _make_room(self._codes)
            known = self._codes[release.digest] = Code(
                release=release.digest,
                graph=messages.from_message(release.graph, Graph),
                bundle=release.bundle,
                environment=release.environment,
            )
        return known


def _make_room(kept: dict[Any, Any]) -> None:
    """The oldest goes."""
    if len(kept) >= KEPT:
        del kept[next(iter(kept))]


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise failures.from_rpc_error(error) from error
