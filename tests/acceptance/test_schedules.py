"""Schedules and triggers through the command line; kill -9 of the scheduler at the second of a firing."""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import pytest
from tests.acceptance.installation import EXAMPLES, WORKFLOWS, Installation
from tests.waiting import until_sync

pytestmark = pytest.mark.timeout(300)

SECONDS = 4
KILLS = (0.0, 0.01, 0.05, 0.15)
"""How long after the second the scheduler is killed: before, while and after it writes and starts."""


@pytest.fixture(scope="module")
def workflow(own_platform: Installation) -> str:
    return own_platform.release(WORKFLOWS / "timed.py")


def history(platform: Installation, noun: str, name: str, type_: str) -> list[dict[str, Any]]:
    """Facts of one type, oldest first."""
    result = platform.call(noun, "history", name, "--limit", "1000", "--json")
    assert result.code == 0, result.err
    entries = [entry for entry in reversed(result.json) if entry["type"] == type_]
    return [entry["data"] for entry in entries]


def started_by(platform: Installation, actor: str) -> list[dict[str, Any]]:
    result = platform.call("runs", "--limit", "1000", "--json")
    assert result.code == 0, result.err
    return [run for run in result.json if run["started_by"] == actor]


def is_reached(moment: float) -> bool:
    return time.time() >= moment


def test_a_scheduler_killed_at_the_second_of_a_firing_fires_each_time_once(
    own_platform: Installation, workflow: str
) -> None:
    cron = f"*/{SECONDS} * * * * *"
    own_platform.ask(
        "schedule",
        "create",
        "kills",
        workflow,
        "--cron",
        cron,
        "--overlap",
        "allow",
        "--time-parameter",
        "at",
    )
    until_sync(lambda: bool(history(own_platform, "schedule", "kills", "ScheduleFired")), timeout=30)
    for late in KILLS:
        pid = until_sync(lambda: own_platform.process("scheduler")["pid"] or False, timeout=30)
        moment = (time.time() // SECONDS + 1) * SECONDS + late
        until_sync(partial(is_reached, moment))
        os.kill(pid, signal.SIGKILL)
        fired_by = datetime.fromtimestamp(moment - late, UTC)

        def caught_up(by: datetime = fired_by) -> bool:
            times = [fact["at"] for fact in history(own_platform, "schedule", "kills", "ScheduleFired")]
            return any(datetime.fromisoformat(at) >= by for at in times)

        until_sync(caught_up, timeout=60)
    until_sync(lambda: own_platform.call("schedule", "pause", "kills").code == 0, timeout=30)

    fired = history(own_platform, "schedule", "kills", "ScheduleFired")
    times = [datetime.fromisoformat(fact["at"]).timestamp() for fact in fired]
    assert times == [times[0] + SECONDS * number for number in range(len(times))]
    assert len(times) > len(KILLS)

    def all_done() -> list[dict[str, Any]]:
        runs = started_by(own_platform, "schedule:default/kills")
        assert {run["status"] for run in runs} == {"completed"}
        assert len(runs) >= len(fired)
        return runs

    runs = until_sync(all_done, timeout=120)
    assert sorted(run["run_id"] for run in runs) == sorted(fact["run_id"] for fact in fired)
    record = own_platform.ask("show", fired[-1]["run_id"])
    assert record["run"]["outputs"]["said"]["value"] == f"{fired[-1]['at']} 1"


def test_the_whole_life_of_a_schedule(own_platform: Installation, workflow: str) -> None:
    ask = own_platform.ask
    made = ask("schedule", "create", "nightly", workflow, "--cron", "0 2 * * *", "--zone", "Europe/Berlin")
    assert len(made["next_times"]) == 5
    assert made["settings"]["catch_up_seconds"] == 60
    changed = ask(
        "schedule",
        "create",
        "nightly",
        workflow,
        "--every",
        "1d",
        "--overlap",
        "queue",
        "--set",
        "size=3",
        "--replace",
    )
    assert changed["settings"]["values"] == {"size": 3}
    assert ask("schedule", "pause", "nightly", "--reason", "holidays")["pause_reason"] == "holidays"
    assert "nightly" in own_platform.call("schedule", "list").out
    backfill = ask(
        "schedule", "backfill", "nightly", "--from", "2026-01-01", "--to", "2026-01-03", "--parallelism", "2"
    )["backfill"]
    completed = until_sync(
        lambda: history(own_platform, "schedule", "nightly", "BackfillCompleted") or False, timeout=60
    )
    assert completed == [{"backfill": backfill, "count": 3}]
    ask("schedule", "resume", "nightly")
    shown = own_platform.call("schedule", "show", "nightly").out
    assert "every 1d" in shown
    assert "size=3" in shown
    told = own_platform.call("schedule", "history", "nightly").out
    assert f"2026-01-01T00:00:00Z fired for backfill {backfill}" in told
    assert "paused: holidays" in told
    ask("schedule", "delete", "nightly")
    refused = own_platform.call("schedule", "show", "nightly")
    assert (refused.code, "SCHEDULE_NOT_FOUND" in refused.err) == (4, True)
    assert own_platform.call("schedule", "create", "x", workflow, "--cron", "nonsense").code == 2


def test_an_event_by_webhook_and_by_hand_starts_one_run(own_platform: Installation, workflow: str) -> None:
    made = own_platform.ask(
        "trigger",
        "create",
        "orders",
        workflow,
        "--filter",
        "event.type == 'order'",
        "--map",
        "size=event.data.size",
    )
    event = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order", "data": {"size": 7}}
    address = own_platform.client["console"].rstrip("/") + made["trigger"]["hook"]
    headers = {"content-type": "application/cloudevents+json"}

    def post(secret: str) -> httpx.Response:
        token = {"authorization": f"Bearer {secret}"}
        return httpx.post(address, content=json.dumps(event), headers=headers | token, trust_env=False)

    assert post("wrong").status_code == 401
    run_id = post(made["secret"]).json()["run_id"]
    assert post(made["secret"]).json()["run_id"] == run_id
    record = own_platform.finish(run_id)
    assert record["run"]["outputs"]["said"]["value"] == "never 7"
    assert record["run"]["started_by"] == "trigger:default/orders"

    ignored = own_platform.call("trigger", "fire", "orders", "--type", "other", "--json")
    assert (ignored.code, ignored.json["reason"]) == (4, "filtered")
    by_hand = own_platform.ask("trigger", "fire", "orders", "--type", "order", "--data", '{"size": 2}')
    assert own_platform.finish(by_hand["run_id"])["run"]["status"] == "completed"
    told = own_platform.call("trigger", "history", "orders").out
    assert "event 1 of /shop fired" in told
    assert "the filter is false" in told
    assert len(started_by(own_platform, "trigger:default/orders")) == 2
    own_platform.ask("trigger", "delete", "orders")
    assert post(made["secret"]).status_code == 401


def test_a_fact_of_the_platform_itself_starts_a_run(own_platform: Installation, workflow: str) -> None:
    other = own_platform.release(EXAMPLES / "hello" / "hello.py")
    own_platform.ask(
        "trigger",
        "create",
        "after",
        workflow,
        "--subject",
        "foldline.event.default.run.RunCreated",
        "--filter",
        f"event.data.workflow == '{other}'",
        "--map",
        "at=event.time",
    )

    def one_started() -> bool:
        own_platform.start(other)  # again and again: plain delivery is heard by who listens already
        return bool(started_by(own_platform, "trigger:default/after"))

    until_sync(one_started, timeout=60)
    own_platform.ask("trigger", "delete", "after")
