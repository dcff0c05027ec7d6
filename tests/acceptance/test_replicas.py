"""Two schedulers, two executors, two recorders: replicas die and are restarted, and no run notices."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.acceptance.installation import WORKFLOWS, Installation, installed
from tests.waiting import until_sync

REPLICATED = ("scheduler", "executor", "recorder")

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def several() -> Iterator[Installation]:
    folder = Path(tempfile.mkdtemp(prefix="foldline-"))
    try:
        with installed(folder / "home", "--replicas", ",".join(f"{one}=2" for one in REPLICATED)) as them:
            them.release(WORKFLOWS / "fifty.py")
            yield them
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def attempts(installation: Installation, run_id: str) -> Counter[str]:
    """How many attempts of each step there were; none may have begun twice."""
    events = installation.history(run_id)
    assert [int(event["version"]) for event in events] == list(range(1, len(events) + 1))
    for type_ in ("StepScheduled", "AttemptStarted", "AttemptSucceeded"):
        those = [(one["data"]["step"], one["data"]["attempt"]) for one in events if one["type"] == type_]
        assert len(set(those)) == len(those)
    return Counter(event["data"]["step"] for event in events if event["type"] == "StepScheduled")


@pytest.mark.parametrize(
    "victim",
    ["scheduler-2", *(pytest.param(one, marks=pytest.mark.long) for one in ("scheduler", "recorder-2"))],
)
def test_runs_move_on_when_a_replica_is_killed(several: Installation, victim: str) -> None:
    run_ids = [several.start("fifty") for _ in range(4)]
    until_sync(lambda: any(attempts(several, run_id) for run_id in run_ids), timeout=60)

    several.kill(victim)

    for run_id in run_ids:
        assert several.finish(run_id)["run"]["status"] == "completed"
        assert set(attempts(several, run_id).values()) == {1}


def test_a_rolling_restart_costs_no_attempt(several: Installation) -> None:
    run_ids = [several.start("fifty") for _ in range(6)]
    for service in REPLICATED:
        for name in (service, f"{service}-2"):
            before = several.process(name)["restarts"]
            os.kill(several.process(name)["pid"], signal.SIGTERM)
            until_sync(partial(is_up_again, several, name, before), timeout=60)

    for run_id in run_ids:
        assert several.finish(run_id)["run"]["status"] == "completed"
        assert set(attempts(several, run_id).values()) == {1}


def is_up_again(installation: Installation, name: str, before: int) -> bool:
    process = installation.process(name)
    return process["phase"] == "running" and int(process["restarts"]) > before
