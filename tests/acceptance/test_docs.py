"""The pages for users say what is so: their examples run, their command lines are understood."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from foldline.cli import failures, main

ROOT = Path(__file__).parents[2]
SDK = (ROOT / "docs" / "sdk.md").read_text(encoding="utf-8")
CLI = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
LOCAL = (ROOT / "docs" / "local-runs.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations-on-runs.md").read_text(encoding="utf-8")
SCHEDULES = (ROOT / "docs" / "schedules.md").read_text(encoding="utf-8")
BACKUP = (ROOT / "docs" / "backup.md").read_text(encoding="utf-8")
LOGS = (ROOT / "docs" / "logs-and-metrics.md").read_text(encoding="utf-8")

ARTIFACTS = (ROOT / "docs" / "artifacts.md").read_text(encoding="utf-8")
FLOW = (ROOT / "docs" / "control-flow.md").read_text(encoding="utf-8")

EXAMPLES = dict(re.findall(r"```python\n# example: (\w+)\.py\n(.*?)```", SDK + FLOW + ARTIFACTS, re.DOTALL))
LINES = [
    line
    for block in re.findall(
        r"```sh\n(.*?)```",
        CLI + SDK + FLOW + ARTIFACTS + SCHEDULES + LOCAL + OPERATIONS + LOGS + BACKUP,
        re.DOTALL,
    )
    for line in block.splitlines()
    if line.startswith("foldline ")
]
EXPECTED = {
    "scores": {"average": 0.45},
    "fields": {"output": "5 values from 0 on"},
    "weights": {"output": ["layer0: 16", "layer1: 16"]},
    "graphs": {"output": 2},
    "gate": {"published": "published with 0.97"},
}
RUNS = {
    "foldline run branches.py": {"published": "published: deep model of 100 rows"},
    "foldline run branches.py --set rows=5 --set dry=true": {
        "warned": "not good enough: plain model of 5 rows"
    },
    "foldline run maps.py": {"best": "model-1", "losses": ["0.5", "1.0", "0.0", "4.0"]},
    "foldline run loops.py": {"output": "1.4142"},
    "foldline run parts.py": {"output": "second"},
    "foldline run ending.py": {"found": "fine", "also": "independent"},
    "foldline run ending.py --set fails=true": None,
    "foldline run asking.py --answer 'labels={\"count\": 3}' --answer 'training={\"rows\": 7}' "
    "--answer good=yes --answer place=test": {
        "published": "small model of 7 rows with 3 labels, published in test by local"
    },
    "foldline run careful.py": {"output": "paid 3"},
    'foldline run late.py --answer \'fit={"clusters": 2, "seed": 8}\'': {
        "output": "two clusters: fitted 2, seed 8"
    },
    "foldline run late.py --set clusters=3 --set seed=9": {"output": "two clusters: fitted 3, seed 9"},
}
"""Command lines of the page on control flow, and the outputs of their runs; None for one that fails."""


def foldline(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "foldline.cli.main", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_of_the_sdk_page_runs(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text(EXAMPLES[name])

    result = foldline("run", f"{name}.py", "--json", folder=tmp_path)

    assert result.returncode == 0, result.stderr
    outputs = json.loads(result.stdout)["outputs"]
    assert {output: found["value"] for output, found in outputs.items()} == EXPECTED[name]


def test_the_python_example_compiles_and_every_example_is_tested() -> None:
    compile(EXAMPLES["python"], "python.py", "exec")
    run = {line.split()[2].removesuffix(".py") for line in RUNS}
    assert set(EXAMPLES) == {*EXPECTED, *run, "python"}


@pytest.mark.parametrize("line", RUNS)
def test_a_run_of_the_page_on_control_flow_gives_what_it_should(line: str, tmp_path: Path) -> None:
    words = shlex.split(line)[1:]
    (tmp_path / words[1]).write_text(EXAMPLES[words[1].removesuffix(".py")])

    result = foldline(*words, "--json", folder=tmp_path)

    answer = json.loads(result.stdout)
    expected = RUNS[line]
    assert result.returncode == (1 if expected is None else 0), result.stderr
    if expected is not None:
        assert {name: _json_of(found) for name, found in answer["outputs"].items()} == expected
    statuses = {step["name"]: step["status"] for step in answer["steps"]}
    if words[1] == "ending.py":
        assert statuses["repair"] == ("completed" if expected is None else "skipped")
        assert (statuses["other"], statuses["clean_up"]) == ("completed", "completed")


def test_every_run_of_the_page_on_control_flow_is_tested() -> None:
    assert set(re.findall(r"^foldline run .*", FLOW, re.MULTILINE)) == set(RUNS)


def _json_of(artifact: dict[str, Any]) -> object:
    """The JSON value of an output; a list of artifacts has one in each."""
    value = artifact["value"]
    return [one and one["value"] for one in value] if artifact["type"] == "list" else value


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_of_the_pages_is_one_that_the_program_takes(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "examples" / "digits" / "digits.py", tmp_path)
    for name, text in EXAMPLES.items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "flow.py").touch()
    (tmp_path / "order.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    command: click.Command = main.cli
    context = click.Context(command, info_name="foldline")
    words = shlex.split(line)[1:]
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, words[0]
        command, words = found, words[1:]

    if "--help" in words:
        return
    made = command.make_context(command.name, words)

    assert made.params or not words


@pytest.mark.parametrize(
    "line", ["foldline check digits.py", "foldline run digits.py --set accept_at=0.9 --json"]
)
def test_the_lines_that_need_no_installation_do_what_they_say(line: str, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    assert line in LINES
    shutil.copy(ROOT / "examples" / "digits" / "digits.py", tmp_path)

    result = foldline(*shlex.split(line)[1:], folder=tmp_path)

    assert result.returncode == 0, result.stderr


def test_the_exit_codes_of_the_page_are_the_programs() -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", CLI, re.MULTILINE)}

    assert listed == {
        failures.OK,
        failures.RUN_FAILED,
        failures.USAGE,
        failures.RUN_STOPPED,
        failures.REFUSED,
        failures.UNAVAILABLE,
        failures.INTERNAL,
        failures.INTERRUPTED,
    }


def test_every_command_is_on_the_page() -> None:
    shown = {line.split()[1] for line in LINES}

    assert shown == set(main.cli.list_commands(click.Context(main.cli)))


def test_every_refusal_of_an_operation_is_on_the_page() -> None:
    reasons: set[str] = set()
    for module in ("operations", "waits", "fork", "selection"):
        source = (ROOT / "libs" / "foldline" / "domain" / f"{module}.py").read_text(encoding="utf-8")
        reasons |= set(re.findall(r'(?:Refused\(|FoldlineError\(Kind\.\w+,)\s*"([A-Z_]+)"', source))

    assert {"RUN_ENDED", "NOT_ASKING", "NO_STAND_IN", "NOTHING_SELECTED"} <= reasons
    assert not {reason for reason in reasons if f"`{reason}`" not in OPERATIONS}


def test_every_rule_that_authoring_names_is_on_the_page() -> None:
    rules: set[str] = set()
    for file in (ROOT / "libs" / "foldline" / "sdk").glob("*.py"):
        rules |= set(
            re.findall(
                r'(?:rule=|refuse\(\s*|problem\(\s*|_report\(\s*|_error\(\s*)"([A-Z_]+)"', file.read_text()
            )
        )

    assert rules
    assert not {rule for rule in rules if f"`{rule}`" not in SDK + FLOW} - {"NO_FILE", "SEVERAL_WORKFLOWS"}
