"""Every form of control flow and every operation on runs, through the command line, on real services."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.installation import WORKFLOWS, Installation
from tests.waiting import until_sync

pytestmark = pytest.mark.timeout(240)

NAMES = ("ways", "growing", "mendable", "sleepy", "asking", "cached", "resuming")


@pytest.fixture(scope="module")
def here(own_platform: Installation) -> Installation:
    for name in NAMES:
        own_platform.ask("release", str(WORKFLOWS / "ways.py"), "--workflow", name, timeout=300)
    return own_platform


@pytest.fixture(autouse=True)
def whole(here: Installation) -> None:
    """Whatever the test before has killed is back: the scheduler itself says that there is no such run."""
    nobody = "00000000-0000-7000-8000-000000000000"
    until_sync(lambda: "UNKNOWN_RUN" in here.call("why-waiting", nobody).err, timeout=60)


def statuses(record: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["status"] for step in record["steps"]}


def outputs(record: dict[str, Any]) -> dict[str, Any]:
    return {name: output["value"] for name, output in record["run"]["outputs"].items()}


def until_step(here: Installation, run_id: str, step: str, *wanted: str) -> dict[str, Any]:
    """Wait until the step has one of these statuses; the record."""

    def check() -> dict[str, Any]:
        record: dict[str, Any] = here.ask("show", run_id)
        assert statuses(record)[step] in wanted, statuses(record)
        return record

    return until_sync(check, timeout=60)


def until_restarted(here: Installation, name: str, before: int) -> None:
    """Wait until another process of that name is there than the one with the pid `before`."""
    until_sync(lambda: here.process(name)["pid"] not in (None, before), timeout=60)


def started(here: Installation, run_id: str) -> Counter[tuple[str, int]]:
    """Attempts of the run and of the runs inside it, by step and number."""
    history = here.history(run_id)
    found, ended = (
        Counter((one["data"]["step"], one["data"]["attempt"]) for one in history if one["type"] == type_)
        for type_ in ("AttemptStarted", "AttemptSucceeded")
    )
    found |= ended  # of a short one only that is told
    for child in here.ask("runs", "--children-of", run_id, "--limit", "1000"):
        for (step, attempt), times in started(here, child["run_id"]).items():
            found[f"{child['run_id'].removeprefix(run_id)}/{step}", attempt] += times
    return found


# -- forms -----------------------------------------------------------------------------------------


def assert_all_ways(here: Installation, record: dict[str, Any]) -> None:
    assert record["run"]["status"] == "completed"
    assert outputs(record) == {"sum": 62250, "grown": 243, "inside": 15, "said": "left 62250"}
    assert statuses(record)["right"] == "skipped"
    assert statuses(record)["note"] == "completed"
    each = started(here, record["run"]["run_id"])
    assert {attempt: times for attempt, times in each.items() if times > 1} == {}
    assert sum(times for (step, _), times in each.items() if "/double" in step) >= 250


def test_every_form_in_one_run(here: Installation) -> None:
    assert_all_ways(here, here.run("ways"))


@pytest.mark.parametrize("victim", ["scheduler", "nats"])
def test_every_form_survives_the_death_of(here: Installation, victim: str) -> None:
    run_id = here.start("ways")
    for _ in range(3):
        until_restarted(here, victim, here.kill(victim))

    assert_all_ways(here, here.finish(run_id, timeout=180))


def test_a_step_goes_on_from_its_checkpoint_when_its_executor_was_killed(
    here: Installation, tmp_path: Path
) -> None:
    run_id = here.start("resuming", f"flag={tmp_path / 'flag'}")

    def checkpoint_kept() -> bool:
        return any("checkpoint" in event["data"] for event in here.history(run_id))

    until_sync(checkpoint_kept, timeout=60)
    here.kill("executor")

    record = here.finish(run_id)
    assert outputs(record) == {"output": 1}


# -- waiting ---------------------------------------------------------------------------------------


def test_a_run_waits_for_people_and_events_and_survives_its_scheduler_meanwhile(here: Installation) -> None:
    run_id = here.start("asking")
    record = until_step(here, run_id, "grow", "asking")
    assert record["steps"][0]["asked"] == ["rows"]
    assert next(row["reason"] for row in here.ask("why-waiting", run_id)) == "PARAMETERS"
    here.kill("scheduler")
    until_sync(lambda: here.call("provide", run_id, "--set", "rows=4").code == 0, timeout=30)

    until_step(here, run_id, "approve", "awaiting")
    todos = {one["step"]: one for one in here.ask("todos") if one["run_id"] == run_id}
    assert {step: one["prompt"] for step, one in todos.items()} == {"approve": "go on?", "choose": "which?"}
    here.ask("answer", run_id, "approve", "--yes", "--comment", "fine")
    until_step(here, run_id, "choose", "awaiting")
    refused = here.call("answer", run_id, "choose", "--choose", "huge")
    assert (refused.code, "NOT_A_CHOICE" in refused.err) == (2, True)
    here.ask("answer", run_id, "choose", "--choose", "large")
    until_step(here, run_id, "event", "awaiting")
    here.ask("signal", run_id, "labels-ready", "--data", '{"count": 3}')

    assert outputs(here.finish(run_id)) == {
        "text": "large",
        "rows": 12,
        "by": "local-admin",
        "event": {"count": 3},
    }


def test_a_rejection_fails_the_run(here: Installation) -> None:
    run_id = here.start("asking", "rows=1")
    until_step(here, run_id, "approve", "awaiting", "asking")
    here.call("provide", run_id, "--set", "rows=1")
    until_step(here, run_id, "approve", "awaiting")
    here.ask("answer", run_id, "approve", "--no", "--comment", "too few")

    record = here.finish(run_id)
    assert record["run"]["failure"]["message"] == "local-admin said no: too few"
    late = here.call("answer", run_id, "approve", "--yes")
    assert (late.code, "NOT_ASKING" in late.err) == (4, True)


# -- operations ------------------------------------------------------------------------------------


def test_a_failed_step_is_retried_in_its_run(here: Installation, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    run_id = here.start("mendable", f"flag={flag}", "value=2")
    assert here.finish(run_id)["run"]["status"] == "failed"

    flag.touch()
    here.ask("retry", run_id, "breaks", "--set", "value=5")
    record = here.finish(run_id)

    assert outputs(record) == {"output": 11}
    assert started(here, run_id)["grow", 1] == 1
    assert started(here, run_id)["grow", 2] == 0
    again = here.call("retry", run_id)
    assert (again.code, "NOTHING_TO_RETRY" in again.err) == (4, True)


def test_a_run_is_paused_and_goes_on(here: Installation) -> None:
    run_id = here.start("ways")
    here.ask("pause", run_id)
    here.ask("pause", run_id)
    assert here.ask("show", run_id)["run"]["status"] == "paused"
    assert {row["reason"] for row in here.ask("why-waiting", run_id)} & {"PAUSED", "UPSTREAM", "CHILDREN"}
    here.kill("scheduler")
    until_sync(lambda: here.call("resume", run_id).code == 0, timeout=30)

    assert_all_ways(here, here.finish(run_id))
    late = here.call("pause", run_id)
    assert (late.code, "RUN_ENDED" in late.err) == (4, True)


def test_one_step_is_stopped_and_the_rest_goes_on(here: Installation) -> None:
    run_id = here.start("sleepy")
    until_step(here, run_id, "slow", "running")
    here.ask("stop", run_id, "--step", "slow")

    record = here.finish(run_id)
    assert statuses(record) == {"slow": "stopped", "grow": "completed"}
    assert record["run"]["status"] == "stopped"


@pytest.mark.parametrize("words", [(), ("--force",)])
def test_a_run_is_stopped_with_the_runs_inside_it(here: Installation, words: tuple[str, ...]) -> None:
    run_id = here.start("ways", "count=2000")
    until_step(here, run_id, "double", "running")
    here.ask("stop", run_id, *words)

    record = here.finish(run_id)
    assert record["run"]["status"] == "stopped"
    children = here.ask("runs", "--children-of", run_id)
    assert children
    assert {child["status"] for child in children} <= {"stopped", "completed"}
    assert statuses(record)["note"] == ("stopped" if words else "completed")


def test_a_stop_just_before_the_scheduler_dies_is_carried_out(here: Installation) -> None:
    run_id = here.start("sleepy")
    until_step(here, run_id, "slow", "running")
    here.ask("stop", run_id)
    here.kill("scheduler")

    assert here.finish(run_id)["run"]["status"] == "stopped"


# -- runs from runs --------------------------------------------------------------------------------


def test_a_fork_reuses_what_is_equal_and_runs_what_is_not(here: Installation) -> None:
    first = here.run("ways", "count=20")["run"]["run_id"]

    plan = {one["step"]: one["action"] for one in here.ask("fork", first, "--set", "border=1000", "--plan")}
    assert plan["numbers"] == plan["double"] == plan["total"] == "reuse"
    assert (plan["left"], plan["right"]) == ("skip", "run")
    forked = here.ask("fork", first, "--set", "border=1000")["run_id"]
    record = here.finish(forked)

    assert outputs(record)["said"] == "right 380"
    assert {step for step, _ in started(here, forked)} == {"right", "tell", "note"}
    assert (record["run"]["origin"]["kind"], record["run"]["origin"]["run_id"]) == ("fork", first)
    assert here.ask("show", first)["run"]["status"] == "completed"


def test_a_longer_list_runs_the_new_items_alone(here: Installation) -> None:
    first = here.run("ways", "count=20")["run"]["run_id"]
    forked = here.ask("fork", first, "--set", "count=25")["run_id"]
    record = here.finish(forked)

    assert outputs(record)["sum"] == 600
    items = [step for step, _ in started(here, forked) if "/double" in step]
    assert sorted(items) == [f".double.1.0/double.{item}" for item in range(20, 25)]


def test_a_rerun_runs_what_it_is_told_to(here: Installation) -> None:
    first = here.run("growing", "x=2")["run"]["run_id"]
    same = here.finish(here.ask("rerun", first)["run_id"])
    whole = here.finish(here.ask("rerun", first, "--whole")["run_id"])

    assert outputs(same) == outputs(whole) == {"x": 6}
    assert sum(started(here, same["run"]["run_id"]).values()) == 0
    assert sum(started(here, whole["run"]["run_id"]).values()) == 1


def test_a_cached_step_runs_once_for_all_runs(here: Installation) -> None:
    first = here.run("cached", "x=3")
    second = here.run("cached", "x=3")
    refreshed = here.finish(here.ask("start", "cached", "--set", "x=3", "--cache", "refresh")["run_id"])

    assert outputs(first) == outputs(second) == outputs(refreshed) == {"output": 21}
    attempts = [sum(started(here, one["run"]["run_id"]).values()) for one in (first, second, refreshed)]
    assert attempts == [1, 0, 1]


def test_some_steps_run_alone_with_the_inputs_of_an_earlier_run(here: Installation) -> None:
    first = here.run("ways", "count=20")["run"]["run_id"]
    partial = here.ask("start", "ways", "--only", "total", "--inputs-from", first)["run_id"]
    record = here.finish(partial)

    assert statuses(record)["total"] == "completed"
    assert {step for step, _ in started(here, partial)} == {"total"}
    missing = here.call("start", "ways", "--only", "total")
    assert (missing.code, "UNSELECTED_INPUT" in missing.err) == (2, True)
