"""Steps in containers through the whole platform, on a real engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.guests import Guest, guest
from tests.acceptance.installation import WORKFLOWS, Installation
from tests.conformance.backends import engines
from tests.waiting import until_sync

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def socket() -> Iterator[Path]:
    with engines.engine() as socket:
        yield socket


@pytest.fixture(scope="module")
def executor(
    socket: Path, platform: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Guest]:
    for name in ("counts", "exits", "gorges", "lasts"):
        platform.ask("release", str(WORKFLOWS / "contained.py"), "--workflow", name, timeout=300)
    settings = {
        "pool": "containers",
        "backends": "container",
        "container_socket": socket,
        "container_image": engines.IMAGE,
        "container_network": "none",
        "container_pull": "never",
    }
    with guest(platform, tmp_path_factory.mktemp("guest") / "docker", "docker", **settings) as one:
        yield one


@pytest.fixture(scope="module")
def started(platform: Installation, executor: Guest) -> dict[str, str]:
    """Runs at the same time, by workflow: containers take their time to start."""
    return {name: platform.start(name) for name in ("counts", "exits", "gorges")}


def containers(socket: Path) -> set[str]:
    return set(engines.docker(socket, "ps", "-aq").split())


def step_of(record: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(step for step in record["steps"] if step["name"] == name)
    return found


def statuses(record: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["status"] for step in record["steps"]}


def until_both_wait(platform: Installation, run_id: str) -> None:
    """The program and the function are well on their way, each in its container."""

    def are_both_heard() -> bool:
        return all(
            line in platform.call("logs", run_id, step).out
            for step, line in (("wait", "waiting"), ("nap", "napping"))
        )

    until_sync(are_both_heard, timeout=60)


def test_a_function_and_a_program_of_one_run(
    platform: Installation, started: dict[str, str], tmp_path: Path
) -> None:
    run_id = started["counts"]
    record = platform.finish(run_id)

    assert record["run"]["status"] == "completed", record
    assert record["run"]["outputs"]["lines"]["value"] == 5
    platform.ask("artifact", "get", run_id, "count", "copy", "-o", str(tmp_path / "copy.txt"))
    assert (tmp_path / "copy.txt").read_text() == "".join(f"row {number}\n" for number in range(5))
    assert "in a container: True" in platform.call("logs", run_id, "write").out.splitlines()
    assert "counting" in platform.call("logs", run_id, "count").out.splitlines()
    assert step_of(record, "write")["metrics"] == {"written": 5}


def test_an_exit_code_is_in_the_record(platform: Installation, started: dict[str, str]) -> None:
    failure = step_of(platform.finish(started["exits"]), "leave")["failure"]

    assert (failure["reason"], failure["exit_code"]) == ("STEP_EXITED", 3)
    assert failure["message"] == "the program exited with code 3"
    assert "going" in platform.call("logs", started["exits"], "leave").out


def test_what_the_kernel_kills_for_its_memory_is_recorded_as_such(
    platform: Installation, started: dict[str, str]
) -> None:
    failure = step_of(platform.finish(started["gorges"]), "gorge")["failure"]

    assert failure["reason"] == "MEMORY_EXCEEDED"


def test_a_killed_executor_leaves_no_container_and_a_stopped_run_none(
    platform: Installation, executor: Guest, socket: Path
) -> None:
    run_id = platform.start("lasts")
    until_both_wait(platform, run_id)
    before = containers(socket)

    executor.kill()
    executor.start()

    until_sync(lambda: not containers(socket) & before, timeout=30)
    until_sync(lambda: attempts(platform, run_id) == {("wait", 2), ("nap", 2)}, timeout=60)
    platform.ask("stop", run_id)
    assert set(statuses(platform.finish(run_id)).values()) == {"stopped"}
    assert len(before) == 2
    until_sync(lambda: containers(socket) == set(), timeout=30)


def attempts(platform: Installation, run_id: str) -> set[tuple[str, int]]:
    """That were started after the loss of another one."""
    events = platform.history(run_id)
    lost = {one["data"]["step"] for one in events if one["type"] == "AttemptFailed"}
    started = [one["data"] for one in events if one["type"] == "AttemptStarted"]
    return {(one["step"], one["attempt"]) for one in started if one["step"] in lost and one["attempt"] > 1}
