"""kill -9 in the middle of a run of fifty steps: the run finishes, and its history is whole."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
from tests.acceptance.installation import WORKFLOWS, Installation
from tests.waiting import until_sync

STEPS = 50
SILENCE_SECONDS = 5
VICTIMS = ["scheduler", "executor", "recorder", "registry", "nats", "postgres"]

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def workflow(own_platform: Installation) -> str:
    return own_platform.release(WORKFLOWS / "fifty.py")


def completed(installation: Installation, run_id: str) -> int:
    result = installation.call("show", run_id, "--json")
    assert result.code == 0, result.err
    return sum(step["status"] == "completed" for step in result.json["steps"])


def count(events: list[dict[str, Any]], type_: str) -> Counter[tuple[str, int]]:
    """How often each attempt, named by step and number, has an event of a type."""
    found = (event["data"] for event in events if event["type"] == type_)
    return Counter((data["step"], data["attempt"]) for data in found)


def assert_whole(installation: Installation, run_id: str) -> Counter[tuple[str, int]]:
    """No gap, nothing scheduled, started or ended twice, each step completed once. The attempts."""
    events = installation.history(run_id)
    assert [int(event["version"]) for event in events] == list(range(1, len(events) + 1))
    for type_ in ("StepScheduled", "AttemptStarted", "AttemptSucceeded", "AttemptFailed"):
        assert {attempt: times for attempt, times in count(events, type_).items() if times > 1} == {}
    succeeded = [step for step, _ in count(events, "AttemptSucceeded")]
    assert len(succeeded) == len(set(succeeded)) == STEPS
    return count(events, "StepScheduled")


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_run_survives_the_death_of(own_platform: Installation, workflow: str, victim: str) -> None:
    run_id = own_platform.start(workflow)
    until_sync(lambda: 5 <= completed(own_platform, run_id) < STEPS - 5, timeout=60)

    own_platform.kill(victim)
    record = own_platform.finish(run_id, timeout=120)

    assert record["run"]["status"] == "completed"
    attempts = assert_whole(own_platform, run_id)
    if victim != "executor":
        # Only the loss of the machine that works may cost a second attempt.
        assert len(attempts) == STEPS
    assert {name: output["value"] for name, output in record["run"]["outputs"].items()} == {
        f"chain_{chain}": chain * 100 + 10 for chain in range(5)
    }


def test_everything_at_once(own_platform: Installation, workflow: str) -> None:
    run_id = own_platform.start(workflow)
    until_sync(lambda: 5 <= completed(own_platform, run_id) < STEPS - 5, timeout=60)

    for victim in VICTIMS:
        own_platform.kill(victim)
    record = own_platform.finish(run_id, timeout=180)

    assert record["run"]["status"] == "completed"
    assert_whole(own_platform, run_id)


def test_a_scheduler_that_was_paused_takes_nobody_for_silent(own_platform: Installation) -> None:
    own_platform.ask("release", str(WORKFLOWS / "ways.py"), "--workflow", "sleepy", timeout=300)
    run_id = own_platform.start("sleepy", f"seconds={2 * SILENCE_SECONDS}")
    until_sync(lambda: "running" in statuses(own_platform, run_id).values(), timeout=60)

    with own_platform.paused("scheduler"):
        time.sleep(SILENCE_SECONDS + 2)  # longer than an executor may be silent
    record = own_platform.finish(run_id, timeout=120)

    assert record["run"]["status"] == "completed"
    assert {attempt for _, attempt in count(own_platform.history(run_id), "AttemptStarted")} == {1}


def statuses(installation: Installation, run_id: str) -> dict[str, str]:
    return {
        step["name"]: step["status"] for step in installation.call("show", run_id, "--json").json["steps"]
    }
