"""The commands on runs as they are typed: what is asked of a real server, what is said, the exit code."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.integration.sdk.test_client import RUN, call, serving
from tests.integration.sdk.test_operations import Heard, services

from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.api.workflow.v1 import workflow_pb2
from foldline.domain.spec import Graph, Parameter, Step, Wait
from foldline.wire import messages

GRAPH = Graph(
    name="digits",
    parameters=(Parameter(name="rate", type="float", delayed=True),),
    steps=(
        Step(
            name="form", kind="wait", wait=Wait(kind="values", fields=(Parameter(name="text", type="str"),))
        ),
        Step(name="train", kind="function"),
    ),
)

STEPS = [
    pb.RunStep(name="form", kind="wait", status="awaiting"),
    pb.RunStep(name="train", kind="map", status="running"),
]
STEPS[1].children.CopyFrom(pb.Children(total=2, items=150, succeeded=60))


def recorded(heard: Heard) -> tuple[Any, Any]:
    """The services, and a recorder that knows one run."""
    made, read = services(heard)
    known = pb.GetRunResponse(
        run=pb.Run(run_id=RUN, workflow="digits", status="running"),
        steps=STEPS,
        graph=messages.to_message(GRAPH, workflow_pb2.Graph),
    )

    async def found(_: Any, request: Any, __: Any) -> pb.GetRunResponse:
        del request
        return known

    return made, type("Known", (type(read),), {"GetRun": found})()


CASES: list[tuple[list[str], str, dict[str, Any]]] = [
    (["stop", RUN, "--force"], "StopRun", {"forced": True}),
    (["stop", "0192f0", "--step", "train"], "StopStep", {"step": "train"}),
    (["pause", RUN, "--reason", "night"], "PauseRun", {"reason": "night"}),
    (["resume", RUN], "ResumeRun", {}),
    (["retry", RUN, "train", "--set", "rate=1"], "RetrySteps", {"steps": ["train"], "values": {"rate": 1}}),
    (["provide", RUN, "--set", "rate=0.5"], "ProvideParameters", {"values": {"rate": 0.5}}),
    (
        ["answer", RUN, "form", "--no", "--comment", "bad"],
        "AnswerWait",
        {"step": "form", "approved": False, "comment": "bad"},
    ),
    (["answer", RUN, "form", "--choose", "x"], "AnswerWait", {"step": "form", "choice": "x"}),
    (["answer", RUN, "form", "--set", "text=7"], "AnswerWait", {"step": "form", "values": {"text": "7"}}),
    (["signal", RUN, "arrived", "--data", "[1]"], "DeliverEvent", {"event": "arrived", "data": [1]}),
    (["rerun", RUN, "--whole"], "ForkRun", {"fork": {"values": {}, "whole": True}}),
    (
        ["fork", RUN, "--from", "train", "--allow", "train", "--set", "rate=2"],
        "ForkRun",
        {"fork": {"values": {"rate": 2}, "from": ["train"], "allow": ["train"]}},
    ),
]


@pytest.mark.parametrize(("words", "rpc", "meant"), CASES, ids=[" ".join(case[0][:1]) for case in CASES])
async def test_what_is_typed_is_what_is_asked(words: list[str], rpc: str, meant: dict[str, Any]) -> None:
    heard = Heard()

    async with serving(*recorded(heard)) as address:
        code, shown, errors = await call(address, *words, "-w", "lab", "--json")

    assert code == 0, errors
    assert json.loads(shown)["run_id"] == ("forked" if rpc == "ForkRun" else RUN)
    ((found, request),) = heard.requests
    assert found == rpc
    assert request == messages.to_message({"workspace": "lab", "run_id": RUN, **meant}, type(request))


async def test_a_part_of_a_workflow_is_started() -> None:
    heard = Heard()
    options = (
        "--from",
        "a",
        "--until",
        "b",
        "--inputs-from",
        RUN,
        "--cache",
        "read-only",
        "--priority",
        "-5",
    )

    async with serving(*recorded(heard)) as address:
        code, _, errors = await call(address, "start", "digits", *options)

    assert code == 0, errors
    ((_, request),) = heard.requests
    assert messages.to_dict(request.selection) == {
        "only": [],
        "from": ["a"],
        "until": ["b"],
        "scene": "",
        "inputs_from": RUN,
    }
    assert (request.cache, request.priority) == ("read_only", -5)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["fork", RUN, "--plan"], "train  run          input rows is 20 instead of 10"),
        (["why-waiting", RUN], "NO_EXECUTOR"),
        (["executors"], "ex is closed: has 5 MiB free"),
        (["executor", "drain", "ex"], "ex is asked to drain"),
        (["executor", "resume", "ex"], "ex is asked to take work again"),
        (["todos"], f"foldline answer {RUN} release --yes"),
        (["runs", "--children-of", RUN], f"{RUN}.each.1.0"),
        (["show", RUN], f"form waits for you: foldline answer {RUN} form --set text=VALUE"),
        (["show", RUN], "60 of 150 items done"),
    ],
)
async def test_what_is_known_is_told(words: list[str], told: str) -> None:
    async with serving(*recorded(Heard())) as address:
        code, shown, errors = await call(address, *words)

    assert code == 0, errors
    assert told in shown


@pytest.mark.parametrize(
    "words",
    [
        ["answer", RUN, "form"],
        ["answer", RUN, "form", "--yes", "--choose", "x"],
        ["provide", RUN],
        ["stop", RUN, "--step", "train", "--force"],
        ["signal", RUN, "arrived", "--data", "{"],
        ["start", "digits", "--priority", "101"],
    ],
)
async def test_what_makes_no_sense_is_a_usage_error_and_asks_nothing(words: list[str]) -> None:
    heard = Heard()

    async with serving(*recorded(heard)) as address:
        code, shown, errors = await call(address, *words)

    assert (code, shown) == (2, "")
    assert errors
    assert heard.requests == []
