"""Workflows of other releases are asked of the registry, by `check` and `release` alike."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from foldline.api.registry.v1 import workflow_service_pb2 as pb
from foldline.api.registry.v1 import workflow_service_pb2_grpc as registry
from foldline.api.workflow.v1 import workflow_pb2
from foldline.chassis import rpc
from foldline.chassis.lifecycle import Lifecycle
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.spec import Binding, Function, Graph, Output, OutputRef, Parameter, Step
from foldline.wire import failures, messages

DIGEST = f"sha256:{'ab' * 32}"
CLEAN = Graph(
    name="clean",
    parameters=(Parameter(name="rows", type="int"),),
    steps=(
        Step(
            name="load",
            kind="function",
            function=Function(module="clean", name="load"),
            inputs={"rows": Binding(parameter="rows")},
            outputs=(Output(name="output", type="json"),),
        ),
    ),
    outputs={"table": Binding(output=OutputRef(step="load", name="output"))},
)
FLOW = f"""
import foldline as fl

clean = fl.released("clean@{DIGEST}")


@fl.step
def count(table: list) -> int:
    return len(table)


@fl.workflow
def flow(rows: int = 3):
    return count(clean(rows=rows).table)
"""


class _Registry(registry.WorkflowServiceServicer):
    def __init__(self) -> None:
        self.made: list[pb.CreateReleaseRequest] = []

    async def GetRelease(self, request: Any, context: Any) -> Any:  # noqa: N802
        if (request.workflow, request.release) != ("clean", DIGEST):
            raise FoldlineError(Kind.NOT_FOUND, "RELEASE_NOT_FOUND", f"there is no {request.workflow}")
        graph = messages.to_message(CLEAN, workflow_pb2.Graph)
        found = pb.Release(digest=DIGEST, graph=graph, bundle="sha256:b", environment="sha256:e")
        return pb.GetReleaseResponse(release=found)

    async def CreateRelease(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.made.append(request)
        return pb.CreateReleaseResponse(release=pb.Release(digest="sha256:new", number=1), created=True)


# The stubs call the generated bases abstract; whatever is not overridden answers UNIMPLEMENTED.
Registry = cast("Callable[[], Any]", _Registry)


@asynccontextmanager
async def serving(service: Any) -> AsyncIterator[str]:
    life = Lifecycle()
    life.ready.set()
    one = rpc.Service(
        "foldline.api.registry.v1.WorkflowService", registry.add_WorkflowServiceServicer_to_server, service
    )
    async with rpc.serve("127.0.0.1:0", [one], life=life, translate=failures.to_status) as port:
        yield f"127.0.0.1:{port}"


async def call(address: str, home: Path, *arguments: str) -> tuple[int, str]:
    """A command line in a process of its own: exit code and what it says."""
    known = {"FOLDLINE_SERVER": address, "FOLDLINE_TOKEN": "t"} if address else {}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "foldline.cli.main", *arguments),
        env={**os.environ, "FOLDLINE_HOME": str(home), **known},  # noqa: TID251  # handed on
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_a_release_pins_the_other_release_that_it_uses(tmp_path: Path) -> None:
    file = tmp_path / "flow.py"
    file.write_text(FLOW)
    service = Registry()

    async with serving(service) as address:
        checked, said = await call(address, tmp_path, "check", str(file))
        released, _ = await call(address, tmp_path, "release", str(file))

    assert (checked, released) == (0, 0), said
    (request,) = service.made
    graph = messages.from_message(request.graph, Graph)
    body = graph.steps[0].body
    assert body
    assert (body.graph, body.release, body.bundle) == (CLEAN, DIGEST, "sha256:b")
    assert body.environment == "sha256:e"
    assert graph.steps[0].outputs == (Output(name="table", type="json"),)
    assert graph.steps[1].code.startswith("sha256:")


async def test_a_release_that_the_installation_lacks_or_nobody_was_asked_for_is_named(tmp_path: Path) -> None:
    file = tmp_path / "flow.py"
    file.write_text(FLOW.replace("ab" * 32, "cd" * 32))

    async with serving(Registry()) as address:
        lacking, said = await call(address, tmp_path, "check", str(file), "--json")
    alone, said_alone = await call("", tmp_path, "check", str(file), "--json")
    run, said_by_run = await call("", tmp_path, "run", str(file))

    assert lacking == alone == run == 2
    (problem,) = json.loads(said)["problems"]
    (problem_alone,) = json.loads(said_alone)["problems"]
    assert (problem["rule"], problem["where"], problem["line"]) == ("RELEASE_UNKNOWN", "step clean", 14)
    assert "there is no clean" in problem["message"]
    assert "no server is known" in problem_alone["message"]
    assert "without an installation" in said_by_run
