"""Executors as an operator has them: shown, drained, ended, replaced, while runs go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.guests import Guest, guest
from tests.acceptance.installation import WORKFLOWS, Installation
from tests.waiting import until_sync

pytestmark = pytest.mark.timeout(300)

OFFERED = {"pool": "spare", "slots": 3, "cpu": 2.5, "memory": "3GiB", "gpu": 1, "flavors": "small,large"}


@pytest.fixture(scope="module")
def spare(platform: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """The only executor of its pool."""
    platform.release(WORKFLOWS / "held.py")
    home = tmp_path_factory.mktemp("guest") / "spare"
    with guest(platform, home, "spare", labels="zone=a,disk=ssd", **OFFERED) as one:
        yield one


def newest(executor: Guest) -> dict[str, Any]:
    """Its session that is there now."""
    (found,) = [one for one in executor.sessions() if one["state"] not in ("silent", "leaving")]
    return found


def until_state(executor: Guest, state: str) -> dict[str, Any]:
    def check() -> dict[str, Any]:
        found = newest(executor)
        assert found["state"] == state, found
        return found

    return until_sync(check, timeout=30)


def test_what_an_executor_has_and_where_it_is_is_shown(platform: Installation, spare: Guest) -> None:
    shown = newest(spare)

    assert {name: shown[name] for name in ("region", "pool", "state", "slots", "cpu", "gpu")} == {
        "region": "local",
        "pool": "spare",
        "state": "ready",
        "slots": 3,
        "cpu": 2.5,
        "gpu": 1,
    }
    assert int(shown["memory_bytes"]) == 3 * 1024**3
    assert set(shown["flavors"]) == {"small", "large"}
    assert shown["labels"] == {"zone": "a", "disk": "ssd"}
    assert shown["backends"] == ["process"]
    (row,) = [line for line in platform.call("executors").out.splitlines() if "spare" in line]
    assert "disk=ssd, zone=a" in row


def test_a_drained_executor_ends_what_it_has_and_gets_nothing_until_it_is_resumed(
    platform: Installation, spare: Guest, tmp_path: Path
) -> None:
    first = platform.start("held", f"flag={tmp_path / 'flag'}")
    until_sync(lambda: "holding" in platform.call("logs", first, "hold").out, timeout=60)

    platform.ask("executor", "drain", "spare")
    assert until_state(spare, "draining")["held"] == 1
    (tmp_path / "flag").touch()

    until_sync(lambda: newest(spare)["held"] == 0, timeout=30)
    (waiting,) = [row for row in platform.ask("why-waiting", first) if row["step"] == "follow"]
    assert "draining" in waiting["message"]

    platform.ask("executor", "resume", "spare")
    assert platform.finish(first)["run"]["outputs"]["number"]["value"] == 2
    assert_no_attempt_was_lost(platform, first)


def test_an_executor_is_replaced_while_a_run_goes_on(
    platform: Installation, spare: Guest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run_id = platform.start("held", f"flag={tmp_path / 'flag'}")
    until_sync(lambda: "holding" in platform.call("logs", run_id, "hold").out, timeout=60)
    platform.ask("executor", "drain", "spare")
    until_state(spare, "draining")

    home = tmp_path_factory.mktemp("guest") / "newer"
    with guest(platform, home, "newer", pool="spare"):
        (tmp_path / "flag").touch()
        record = platform.finish(run_id)
        assert spare.leave() == 0

    assert record["run"]["status"] == "completed"
    assert_no_attempt_was_lost(platform, run_id)
    by = {event["data"]["step"]: event["data"]["executor"] for event in scheduled(platform, run_id)}
    assert (by["hold"] == by["follow"]) is False


def scheduled(platform: Installation, run_id: str) -> list[dict[str, Any]]:
    return [event for event in platform.history(run_id) if event["type"] == "StepScheduled"]


def assert_no_attempt_was_lost(platform: Installation, run_id: str) -> None:
    assert [(one["data"]["step"], one["data"]["attempt"]) for one in scheduled(platform, run_id)] == [
        ("hold", 1),
        ("follow", 1),
    ]
