"""The client and the commands on it against a real gRPC server whose answers are written down here."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from foldline.api.event.v1.artifact_pb2 import Artifact
from foldline.api.event.v1.recorded_pb2 import RecordedEvent
from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.api.recorder.v1 import recorder_service_pb2_grpc as recorder
from foldline.api.scheduler.v1 import scheduler_service_pb2 as commands
from foldline.api.scheduler.v1 import scheduler_service_pb2_grpc as scheduler
from foldline.chassis import clock, rpc
from foldline.chassis.lifecycle import Lifecycle
from foldline.domain.errors import FoldlineError, Kind
from foldline.eventstore import chain
from foldline.eventstore.port import NO_STREAM, NewEvent
from foldline.sdk.client import Client
from foldline.wire import failures, messages

RUN = "0192f0c4-0000-7000-8000-000000000001"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class _Scheduler(scheduler.SchedulerServiceServicer):
    def __init__(self) -> None:
        self.started: list[commands.StartRunRequest] = []
        self.tokens: list[str] = []

    async def StartRun(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.tokens.append(dict(context.invocation_metadata())["authorization"])
        if request.workflow == "missing":
            raise FoldlineError(
                Kind.NOT_FOUND, "WORKFLOW_NOT_FOUND", "there is no workflow missing", workflow="missing"
            )
        self.started.append(request)
        return commands.StartRunResponse(run_id=RUN)


class _Recorder(recorder.RecorderServiceServicer):
    """A run of one step that the watch loses sight of once."""

    def __init__(self, status: str = "completed", content: bytes = b"x" * 100_000) -> None:
        self.status = status
        self.content = content
        self.digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.watches: list[int] = []
        self.events = chained(4)

    async def WatchRun(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        self.watches.append(request.after_version)
        yield update(1, "running", step("running"))
        if len(self.watches) == 1:
            yield update(2, "running", step("running"), event(2, "AttemptStarted"))
            raise FoldlineError(Kind.UNAVAILABLE, "DRAINING", "the recorder is going away")
        yield update(3, self.status, step("completed"), event(3, "RunCompleted"))

    async def ReadArtifact(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        found = Artifact(digest=self.digest, type="file", encoding="file", size_bytes=len(self.content))
        yield pb.ReadArtifactResponse(artifact=found, chunk=self.content[:1000])
        yield pb.ReadArtifactResponse(chunk=self.content[1000:])

    async def ListHistory(self, request: Any, context: Any) -> Any:  # noqa: N802
        events = [found for found in self.events if found.version > request.after_version][:3]
        return pb.ListHistoryResponse(
            events=events,
            more=events[-1].version < 4,
            chain_ok=self.status != "broken",
            chain_error="event 2 does not fit" if self.status == "broken" else "",
        )


# The stubs call the generated bases abstract; whatever is not overridden answers UNIMPLEMENTED.
Scheduler = cast("Callable[..., Any]", _Scheduler)
Recorder = cast("Callable[..., Any]", _Recorder)


def step(status: str) -> pb.RunStep:
    return pb.RunStep(name="train", kind="function", status=status)


def event(version: int, type_: str) -> RecordedEvent:
    found = RecordedEvent(stream=f"run-{RUN}", version=version, type=type_)
    found.time.FromDatetime(NOON)
    found.data.CopyFrom(messages.to_struct({"step": "train", "attempt": 1}))
    return found


def chained(count: int) -> list[RecordedEvent]:
    """Events as the ledger chains them."""
    stream, head, found = f"run-{RUN}", NO_STREAM, []
    for version in range(1, count + 1):
        new = NewEvent(
            id=clock.new_id(), type="AttemptStarted", time=NOON, payload=f'{{"attempt":{version}}}', meta="{}"
        )
        (head,) = chain.link_all(stream, head, [new])
        recorded = event(version, new.type)
        recorded.position, recorded.id, recorded.hash = f"1.{version}", new.id, head.hash.hex()
        recorded.payload_json, recorded.meta_json = new.payload, new.meta
        found.append(recorded)
    return found


def update(version: int, status: str, found: pb.RunStep, *events: RecordedEvent) -> pb.WatchRunResponse:
    run = pb.Run(run_id=RUN, workflow="digits", status=status, version=version)
    return pb.WatchRunResponse(run=run, steps=[found], events=events)


@asynccontextmanager
async def serving(commands_: Any = None, records: Any = None) -> AsyncIterator[str]:
    """The address of a server with these services."""
    life = Lifecycle()
    life.ready.set()
    services = [
        rpc.Service(
            "foldline.api.scheduler.v1.SchedulerService",
            scheduler.add_SchedulerServiceServicer_to_server,
            commands_ or Scheduler(),
        ),
        rpc.Service(
            "foldline.api.recorder.v1.RecorderService",
            recorder.add_RecorderServiceServicer_to_server,
            records or Recorder(),
        ),
    ]
    async with rpc.serve("127.0.0.1:0", services, life=life, translate=failures.to_status) as port:
        yield f"127.0.0.1:{port}"


async def call(address: str, *arguments: str) -> tuple[int, str, str]:
    """A command line in a process of its own: exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "foldline.cli.main", *arguments, "--server", address, "--token", "secret"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def test_a_run_is_started_with_the_token_and_the_workspace() -> None:
    service = Scheduler()

    async with serving(service) as address, Client(address, "secret", workspace="lab") as client:
        run_id = await client.runs.start("digits", {"accept_at": 0.9}, request_id="r1")

    (request,) = service.started
    assert run_id == RUN
    assert service.tokens == ["Bearer secret"]
    assert (request.workspace, request.workflow, request.request_id) == ("lab", "digits", "r1")
    assert messages.from_struct(request.values) == {"accept_at": 0.9}


async def test_the_client_raises_what_the_service_raised() -> None:
    async with serving() as address, Client(address, "t") as client:
        with pytest.raises(FoldlineError) as caught:
            await client.runs.start("missing")

    error = caught.value
    assert (error.kind, error.reason) == (Kind.NOT_FOUND, "WORKFLOW_NOT_FOUND")
    assert error.message == "there is no workflow missing"
    assert error.fields == {"workflow": "missing"}


async def test_a_watch_goes_on_where_a_lost_connection_left_it() -> None:
    service = Recorder()

    async with (
        serving(records=service) as address,
        Client(address, "t") as client,
        aclosing(client.runs.watch(RUN)) as updates,
    ):
        seen = [found.run.version async for found in updates]

    assert seen == [1, 2, 1, 3]
    assert service.watches == [0, 2]


async def test_history_is_read_page_by_page() -> None:
    async with (
        serving() as address,
        Client(address, "t") as client,
        aclosing(client.records.history(RUN)) as pages,
    ):
        versions = [[found.version for found in page.events] async for page in pages]

    assert versions == [[1, 2, 3], [4]]


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("failed", 1), ("stopped", 3)])
async def test_start_and_watch_exit_the_way_the_run_ended(status: str, code: int) -> None:
    async with serving(records=Recorder(status)) as address:
        found, shown, _ = await call(address, "start", "digits", "--watch")

    assert found == code
    assert "train: attempt 1 started" in shown
    assert f"run {RUN} {status}" in shown


async def test_watch_with_json_is_a_line_per_update() -> None:
    async with serving() as address:
        _, shown, _ = await call(address, "watch", RUN, "--json")

    lines = [json.loads(line) for line in shown.splitlines()]
    assert [line["run"]["status"] for line in lines] == ["running", "running", "running", "completed"]


async def test_a_refusal_is_a_line_a_hint_and_exit_code_4() -> None:
    async with serving() as address:
        code, shown, errors = await call(address, "start", "missing")

    assert (code, shown) == (4, "")
    assert errors.splitlines() == [
        "error: there is no workflow missing (WORKFLOW_NOT_FOUND)",
        "hint: `foldline workflows` lists the workflows of the workspace",
    ]


async def test_a_broken_chain_is_told_and_exits_1() -> None:
    async with serving(records=Recorder("broken")) as address:
        code, shown, _ = await call(address, "history", RUN)

    assert code == 1
    assert "the chain is broken: event 2 does not fit" in shown


async def test_a_history_that_holds_is_verified_here(tmp_path: Path) -> None:
    async with serving() as address:
        code, shown, errors = await call(address, "history", RUN)

    assert code == 0, errors
    assert "4 events, versions without a gap, the hash chain holds" in shown


@pytest.mark.parametrize(
    ("place", "field", "value"),
    [(1, "payload_json", '{"attempt":9}'), (2, "meta_json", '{"actor":"me"}'), (3, "hash", "00")],
)
async def test_an_edited_event_is_found_here_although_the_recorder_says_yes(
    place: int, field: str, value: str
) -> None:
    service = Recorder()
    setattr(service.events[place], field, value)

    async with serving(records=service) as address:
        code, shown, _ = await call(address, "history", RUN, "--json")

    assert code == 1
    assert f"version {place + 1} " in json.loads(shown)["chain_error"]


async def test_an_artifact_is_fetched_whole(tmp_path: Path) -> None:
    service = Recorder()
    target = tmp_path / "value.bin"

    async with serving(records=service) as address:
        code, _, errors = await call(address, "artifact", "get", RUN, "train", "output", "-o", str(target))

    assert code == 0, errors
    assert target.read_bytes() == service.content


async def test_a_damaged_artifact_leaves_no_file(tmp_path: Path) -> None:
    target = tmp_path / "value.bin"
    service = Recorder()
    service.digest = f"sha256:{'0' * 64}"

    async with serving(records=service) as address:
        code, _, errors = await call(address, "artifact", "get", RUN, "train", "-o", str(target))

    assert code == 70
    assert "damaged" in errors
    assert not target.exists()
    assert not target.with_name("value.bin.part").exists()
