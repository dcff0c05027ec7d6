"""`foldline check` on broken workflows: each file says in its second line which rule it breaks, and who."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.py"))
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/*.py"))


def check(file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "foldline.cli.main", "check", str(file), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_check_names_rule_step_and_line_of_a_broken_workflow(file: Path) -> None:
    rule, _, subject = file.read_text().splitlines()[1].removeprefix("# expect: ").partition(" ")

    result = check(file, "--json")

    answer = json.loads(result.stdout)
    assert result.returncode == 2, result.stderr
    assert not answer["ok"]
    found = [(problem["rule"], problem["where"]) for problem in answer["problems"]]
    assert (rule, subject) in found
    assert all(problem["file"] == str(file) and problem["line"] for problem in answer["problems"])


def test_there_are_ten_broken_workflows_at_least() -> None:
    assert len(BROKEN) >= 10


def test_check_tells_people_file_line_rule_and_what_to_do() -> None:
    file = next(file for file in BROKEN if file.stem == "python_if")
    line = file.read_text().splitlines().index("    if evaluate() > 0.5:") + 1

    result = check(file)

    assert result.returncode == 2
    assert f"{file}:{line}:" in result.stdout
    assert "(PLACEHOLDER_AS_BOOL)" in result.stdout
    assert "fl.when" in result.stdout


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_examples_have_no_problems(file: Path) -> None:
    result = check(file)

    assert result.returncode == 0, result.stdout + result.stderr
