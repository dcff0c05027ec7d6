"""Steps that are programs, and steps of several processes, on an installation and in local runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.installation import EXAMPLES, WORKFLOWS, Installation, foldline
from tests.waiting import until_sync

pytestmark = pytest.mark.timeout(300)

WORDS = EXAMPLES / "commands" / "words.py"
MOST = {"most": "the", "top": [["the", 3], ["and", 2], ["bird", 1], ["cat", 1], ["dog", 1]], "total": 8}


@pytest.fixture(scope="module")
def released(platform: Installation) -> Installation:
    platform.release(WORDS)
    for name in ("leaves", "oversleeps", "waits", "forgets", "meets"):
        platform.ask("release", str(WORKFLOWS / "programs.py"), "--workflow", name, timeout=300)
    return platform


def step_of(record: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(step for step in record["steps"] if step["name"] == name)
    return found


def test_lines_scripts_arguments_and_ranks_run_on_an_installation(released: Installation) -> None:
    record = released.run("words")

    assert record["run"]["status"] == "completed", record
    assert {name: one["value"] for name, one in record["run"]["outputs"].items()} == MOST
    run_id = record["run"]["run_id"]
    assert released.call("logs", run_id, "shout").out.splitlines() == ["THE!"]
    assert step_of(record, "count")["metrics"] == {"different": 5}
    for rank, line in enumerate(["rank 0 of 2: 5", "rank 1 of 2: 3"]):
        assert released.call("logs", run_id, "share", "--rank", str(rank)).out.splitlines() == [line]


def test_lines_scripts_arguments_and_ranks_run_without_an_installation(tmp_path: Path) -> None:
    result = foldline("run", str(WORDS), "--home", str(tmp_path), "--json")

    assert result.code == 0, result.err
    assert (
        result.json["outputs"] == MOST
        or {name: one["value"] for name, one in result.json["outputs"].items()} == MOST
    )


def test_an_exit_code_is_in_the_record(released: Installation) -> None:
    record = released.run("leaves")

    failure = step_of(record, "leave")["failure"]
    assert record["run"]["status"] == "failed"
    assert failure["exit_code"] == 3
    assert failure["message"] == "the program exited with code 3"
    assert "going" in released.call("logs", record["run"]["run_id"], "leave").out


def test_a_missing_output_is_named(released: Installation) -> None:
    failure = step_of(released.run("forgets"), "forget")["failure"]

    assert failure["reason"] == "OUTPUT_MISSING"
    assert "outputs/model" in failure["message"]


def test_a_program_that_takes_too_long_is_ended(released: Installation) -> None:
    failure = step_of(released.run("oversleeps"), "oversleep")["failure"]

    assert failure["reason"] == "STEP_TIMED_OUT"


def test_a_rank_that_fails_ends_the_others_and_is_named(released: Installation) -> None:
    failure = step_of(released.run("meets"), "meet")["failure"]

    assert failure["message"] == "rank 2 of 3: ValueError: a bad batch"


def test_ranks_of_a_program_are_stopped(released: Installation) -> None:
    run_id = released.start("waits")
    until_sync(lambda: released.call("logs", run_id, "wait").out.count("waiting") == 2, timeout=60)

    released.ask("stop", run_id, "--reason", "enough")

    record = released.finish(run_id)
    assert record["run"]["status"] == "stopped"
    assert step_of(record, "wait")["status"] == "stopped"


PAGE = (Path(__file__).parents[2] / "docs" / "commands-and-ranks.md").read_text(encoding="utf-8")
EXPECTED = {"lines": {"lines": 5}, "scripts": {"sum": 12}, "ranks": {"sum": 10}}


def test_every_example_of_the_page_is_tested() -> None:
    assert set(re.findall(r"^# example: (\w+)\.py$", PAGE, re.MULTILINE)) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_of_the_page_gives_what_it_should(name: str, tmp_path: Path) -> None:
    for kind, file, text in re.findall(r"```\w+\n# (example|file): ([\w.]+)\n(.*?)```", PAGE, re.DOTALL):
        if kind == "file" or file == f"{name}.py":
            (tmp_path / file).write_text(text)

    result = foldline("run", str(tmp_path / f"{name}.py"), "--home", str(tmp_path / "home"), "--json")

    assert result.code == 0, result.err
    outputs = result.json["outputs"]
    assert {output: found["value"] for output, found in outputs.items()} == EXPECTED[name]
