"""Steps that do not do what one hopes: each leaves a clear record, and nothing hangs."""

from __future__ import annotations

from typing import Any

import pytest
from tests.acceptance.installation import WORKFLOWS, Installation
from tests.waiting import until_sync

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module", autouse=True)
def released(platform: Installation) -> None:
    for name in ("raises", "exits", "chatters", "returns_much", "returns_a_lock", "naps"):
        platform.ask("release", str(WORKFLOWS / "kinds.py"), "--workflow", name, timeout=300)


def step_of(record: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(step for step in record["steps"] if step["name"] == name)
    return found


def test_a_step_that_raises_shows_its_error_and_where(platform: Installation) -> None:
    record = platform.run("raises")

    assert record["run"]["status"] == "failed"
    failure = step_of(record, "raise_")["failure"]
    assert "the data have no column 'label'" in failure["message"]
    assert "ValueError" in failure["traceback"]
    assert "kinds.py" in failure["traceback"]
    assert "about to raise" in platform.call("logs", record["run"]["run_id"], "raise_").out


def test_a_step_that_exits_137_says_so(platform: Installation) -> None:
    record = platform.run("exits")

    assert record["run"]["status"] == "failed"
    assert "137" in step_of(record, "exit_137")["failure"]["message"]


def test_100_000_lines_are_kept_or_said_to_be_cut(platform: Installation) -> None:
    record = platform.run("chatters", timeout=180)

    assert record["run"]["status"] == "completed"
    run_id = record["run"]["run_id"]
    lines = platform.call("logs", run_id, "chatter", timeout=180).out.splitlines()
    assert lines[0] == "line 0"
    is_whole = lines == [f"line {number}" for number in range(100_000)]
    says_so = any(line.startswith("[") for line in lines)
    assert is_whole or says_so


def test_a_large_array_goes_from_step_to_step(platform: Installation) -> None:
    record = platform.run("returns_much", timeout=240)

    assert record["run"]["status"] == "completed", record["run"]
    assert record["run"]["outputs"]["bytes"]["value"] == 200 * 1024 * 1024
    output = step_of(record, "large")["outputs"]["output"]
    assert int(output["size_bytes"]) >= 200 * 1024 * 1024
    assert "value" not in output or output["value"] is None


def test_what_cannot_be_stored_is_named(platform: Installation) -> None:
    record = platform.run("returns_a_lock")

    assert record["run"]["status"] == "failed"
    assert "lock" in step_of(record, "unstorable")["failure"]["message"]


def test_a_run_that_is_told_to_stop_stops(platform: Installation) -> None:
    run_id = platform.start("naps")

    def is_running() -> bool:
        record = platform.ask("show", run_id)
        return bool(step_of(record, "nap")["status"] == "running")

    until_sync(is_running, timeout=60)
    platform.ask("stop", run_id, "--reason", "enough")

    assert platform.finish(run_id)["run"]["status"] == "stopped"
