"""Steps on a Ray cluster through the whole platform; `make test-ray` runs these, nothing else does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.acceptance.guests import Guest, guest
from tests.acceptance.installation import WORKFLOWS, Installation
from tests.conformance.backends.clusters import cluster
from tests.waiting import until_sync

pytest.importorskip("ray", reason="Ray is not installed; make test-ray makes an environment that has it")

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guest") / "agent"


@pytest.fixture(scope="module")
def executor(platform: Installation, home: Path) -> Iterator[Guest]:
    for name in ("counts", "fails", "lasts"):
        platform.ask("release", str(WORKFLOWS / "clustered.py"), "--workflow", name, timeout=300)
    with cluster() as found:
        settings = {"pool": "cluster", "backends": "ray", "ray_address": found.address, "slots": 4, "cpu": 4}
        with guest(platform, home, "agent", **settings) as one:
            yield one


def step_of(record: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(step for step in record["steps"] if step["name"] == name)
    return found


def working_in(home: Path) -> list[int]:
    """Processes of steps that are still there, wherever they run: they work below the executor's home."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            works_there = Path(process.cwd()).is_relative_to(home / "work")
            if works_there and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def test_functions_programs_and_ranks_of_one_run(platform: Installation, executor: Guest) -> None:
    record = platform.run("counts", "lines=7", timeout=180)

    assert record["run"]["status"] == "completed", record
    outputs = {name: one["value"] for name, one in record["run"]["outputs"].items()}
    assert outputs == {"lines": 7, "size": 2}
    run_id = record["run"]["run_id"]
    assert "writing 7" in platform.call("logs", run_id, "write").out.splitlines()
    assert step_of(record, "write")["metrics"] == {"written": 7}
    said = platform.call("logs", run_id, "share", "--rank", "1").out.splitlines()
    assert "rank 1 of 2" in said


def test_an_exception_is_in_the_record(platform: Installation, executor: Guest) -> None:
    failure = step_of(platform.run("fails", timeout=180), "fail")["failure"]

    assert failure["message"] == "ValueError: no such column"


def test_a_killed_executor_leaves_no_process_and_a_stopped_run_none(
    platform: Installation, executor: Guest, home: Path
) -> None:
    run_id = platform.start("lasts")
    until_sync(lambda: "napping" in platform.call("logs", run_id, "nap").out, timeout=60)
    before = working_in(home)
    assert before

    executor.kill()
    executor.start()

    until_sync(lambda: not set(working_in(home)) & set(before), timeout=60)
    until_sync(lambda: "AttemptStarted 2" in attempts(platform, run_id), timeout=120)
    platform.ask("stop", run_id)
    assert platform.finish(run_id)["run"]["status"] == "stopped"
    until_sync(lambda: working_in(home) == [], timeout=30)


def attempts(platform: Installation, run_id: str) -> list[str]:
    return [
        f"{event['type']} {event['data']['attempt']}"
        for event in platform.history(run_id)
        if event["type"] in ("AttemptStarted", "AttemptFailed")
    ]
