"""The client's commands against a real gRPC server: what arrives is what was meant."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest
from google.protobuf.message import Message
from tests.integration.sdk.test_client import RUN, serving

from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.api.recorder.v1 import recorder_service_pb2_grpc as recorder
from foldline.api.scheduler.v1 import scheduler_service_pb2 as commands
from foldline.api.scheduler.v1 import scheduler_service_pb2_grpc as scheduler
from foldline.domain.errors import FoldlineError, Kind
from foldline.sdk.changes import Change, Part
from foldline.sdk.client import Client
from foldline.wire import messages

RPCS = [method.name for method in commands.DESCRIPTOR.services_by_name["SchedulerService"].methods]


class Heard:
    """Answers every RPC with an empty reply and keeps what was asked."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Any]] = []

    def answer(self, rpc: str, reply: Message) -> Callable[..., Awaitable[Message]]:
        async def answered(_: Any, request: Any, __: Any) -> Message:
            self.requests.append((rpc, request))
            return reply

        return answered


def services(heard: Heard) -> tuple[Any, Any]:
    """A scheduler and a recorder that answer everything that the client asks without a stream."""
    replies: dict[str, Message] = {rpc: getattr(commands, f"{rpc}Response")() for rpc in RPCS}
    replies["ForkRun"] = commands.ForkRunResponse(run_id="forked")
    replies["PlanFork"] = commands.PlanForkResponse(
        steps=[commands.PlannedStep(step="train", action="run", reason="input rows is 20 instead of 10")]
    )
    replies["ExplainWaiting"] = commands.ExplainWaitingResponse(
        steps=[commands.WaitingStep(run_id=RUN, step="train", reason="NO_EXECUTOR", message="none is there")]
    )
    replies["ListExecutors"] = commands.ListExecutorsResponse(
        executors=[
            commands.Executor(name="ex", session="s", state="closed", reason="has 5 MiB free", slots=4)
        ]
    )
    asked: dict[str, Message] = {
        "ListTodos": pb.ListTodosResponse(todos=[pb.Todo(run_id=RUN, step="release", kind="approve")]),
        "ListRuns": pb.ListRunsResponse(runs=[pb.Run(run_id=f"{RUN}.each.1.0")]),
    }
    made = type(
        "Made",
        (scheduler.SchedulerServiceServicer,),
        {rpc: heard.answer(rpc, reply) for rpc, reply in replies.items()},
    )
    read = type(
        "Read",
        (recorder.RecorderServiceServicer,),
        {rpc: heard.answer(rpc, reply) for rpc, reply in asked.items()},
    )
    return made(), read()


class Case(NamedTuple):
    call: Callable[[Client], Awaitable[object]]
    rpc: str
    meant: dict[str, Any]


CASES = [
    Case(lambda client: client.executors.list(), "ListExecutors", {}),
    Case(
        lambda client: client.executors.drain("ex", undo=True),
        "DrainExecutor",
        {"executor": "ex", "undo": True},
    ),
    Case(
        lambda client: client.runs.start(
            "digits",
            {"rate": 0.5},
            part=Part(only=("a",), from_steps=("b",), until=("c",), inputs_from="earlier"),
            cache="refresh",
            priority=7,
        ),
        "StartRun",
        {
            "workflow": "digits",
            "values": {"rate": 0.5},
            "selection": {"only": ["a"], "from": ["b"], "until": ["c"], "inputs_from": "earlier"},
            "cache": "refresh",
            "priority": 7,
        },
    ),
    Case(
        lambda client: client.operations.stop(RUN, "enough", forced=True),
        "StopRun",
        {"run_id": RUN, "reason": "enough", "forced": True},
    ),
    Case(
        lambda client: client.operations.stop_step(RUN, "train", "too slow"),
        "StopStep",
        {"run_id": RUN, "step": "train", "reason": "too slow"},
    ),
    Case(
        lambda client: client.operations.pause(RUN, "night"), "PauseRun", {"run_id": RUN, "reason": "night"}
    ),
    Case(lambda client: client.operations.resume(RUN), "ResumeRun", {"run_id": RUN}),
    Case(
        lambda client: client.operations.retry(RUN, ["train"], values={"rate": 1}, reason="again"),
        "RetrySteps",
        {"run_id": RUN, "steps": ["train"], "values": {"rate": 1}, "reason": "again"},
    ),
    Case(
        lambda client: client.waits.provide(RUN, {"rate": 0.5}),
        "ProvideParameters",
        {"run_id": RUN, "values": {"rate": 0.5}},
    ),
    Case(
        lambda client: client.waits.approve(RUN, "release", False, comment="not yet"),
        "AnswerWait",
        {"run_id": RUN, "step": "release", "approved": False, "comment": "not yet"},
    ),
    Case(
        lambda client: client.waits.choose(RUN, "which", "second"),
        "AnswerWait",
        {"run_id": RUN, "step": "which", "choice": "second"},
    ),
    Case(
        lambda client: client.waits.fill(RUN, "form", {}),
        "AnswerWait",
        {"run_id": RUN, "step": "form", "values": {}},
    ),
    Case(
        lambda client: client.waits.deliver(RUN, "arrived", {"rows": [1, 2]}),
        "DeliverEvent",
        {"run_id": RUN, "event": "arrived", "data": {"rows": [1, 2]}},
    ),
    Case(
        lambda client: client.runs.plan_fork(RUN, Change(from_steps=("train",), values={"rate": 1})),
        "PlanFork",
        {"run_id": RUN, "fork": {"from": ["train"], "values": {"rate": 1}}},
    ),
    Case(
        lambda client: client.runs.fork(
            RUN,
            Change(whole=True, release="current", allow=("send",), outputs={"load": {"output": [1]}}),
            request_id="r1",
            priority=-3,
        ),
        "ForkRun",
        {
            "run_id": RUN,
            "fork": {
                "values": {},
                "whole": True,
                "release": "current",
                "allow": ["send"],
                "outputs": {"load": {"output": [1]}},
            },
            "request_id": "r1",
            "priority": -3,
        },
    ),
    Case(lambda client: client.waits.explain(RUN), "ExplainWaiting", {"run_id": RUN}),
    Case(lambda client: client.waits.todos(7), "ListTodos", {"page_size": 7}),
    Case(
        lambda client: client.runs.list(inside=RUN, limit=5),
        "ListRuns",
        {"parent_run_id": RUN, "page_size": 5},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.rpc}-{place}" for place, case in enumerate(CASES)])
async def test_what_arrives_is_what_was_meant(case: Case) -> None:
    heard = Heard()

    async with serving(*services(heard)) as address, Client(address, "t", workspace="lab") as client:
        await case.call(client)

    ((rpc, request),) = heard.requests
    assert rpc == case.rpc
    where = {"workspace": "lab"} if "workspace" in request.DESCRIPTOR.fields_by_name else {}
    assert request == messages.to_message({**where, **case.meant}, type(request))


def test_the_client_has_a_method_for_every_command() -> None:
    assert set(RPCS) <= {case.rpc for case in CASES}


async def test_answers_are_the_messages_of_the_api() -> None:
    async with serving(*services(Heard())) as address, Client(address, "t", workspace="lab") as client:
        planned = await client.runs.plan_fork(RUN, Change())
        waiting = await client.waits.explain(RUN)
        todos = await client.waits.todos()
        forked = await client.runs.fork(RUN, Change())

    assert [(step.step, step.action) for step in planned] == [("train", "run")]
    assert [step.reason for step in waiting] == ["NO_EXECUTOR"]
    assert [todo.kind for todo in todos] == ["approve"]
    assert forked == "forked"


async def test_a_refusal_is_raised_with_the_rule() -> None:
    class Refusing(scheduler.SchedulerServiceServicer):
        async def PauseRun(self, request: Any, context: Any) -> Any:  # noqa: N802
            raise FoldlineError(Kind.PRECONDITION, "RUN_ENDED", "the run is completed already")

    refusing: Any = Refusing
    async with serving(refusing()) as address, Client(address, "t") as client:
        with pytest.raises(FoldlineError) as caught:
            await client.operations.pause(RUN)

    assert (caught.value.kind, caught.value.reason) == (Kind.PRECONDITION, "RUN_ENDED")
