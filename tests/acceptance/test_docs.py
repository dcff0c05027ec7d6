"""docs/sdk.md, docs/cli.md, docs/local-runs.md, docs/operations-on-runs.md and docs/schedules.md
say what the program does."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from foldline.cli import failures, main

ROOT = Path(__file__).parents[2]
SDK = (ROOT / "docs" / "sdk.md").read_text(encoding="utf-8")
CLI = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
LOCAL = (ROOT / "docs" / "local-runs.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations-on-runs.md").read_text(encoding="utf-8")
SCHEDULES = (ROOT / "docs" / "schedules.md").read_text(encoding="utf-8")

EXAMPLES = dict(re.findall(r"```python\n# example: (\w+)\.py\n(.*?)```", SDK, re.DOTALL))
LINES = [
    line
    for block in re.findall(r"```sh\n(.*?)```", CLI + SDK + SCHEDULES + LOCAL + OPERATIONS, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("foldline ")
]
EXPECTED = {
    "scores": {"average": 0.45},
    "fields": {"output": "5 values from 0 on"},
    "gate": {"published": "published with 0.97"},
}


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
    assert set(EXAMPLES) == {*EXPECTED, "python"}


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_of_the_pages_is_one_that_the_program_takes(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "examples" / "digits" / "digits.py", tmp_path)
    (tmp_path / "gate.py").write_text(EXAMPLES["gate"])
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


def test_every_rule_that_authoring_names_is_on_the_page() -> None:
    rules: set[str] = set()
    for file in (ROOT / "libs" / "foldline" / "sdk").glob("*.py"):
        rules |= set(
            re.findall(r'(?:rule=|refuse\(\s*|problem\(\s*|_error\(\s*)"([A-Z_]+)"', file.read_text())
        )

    assert rules
    assert not {rule for rule in rules if f"`{rule}`" not in SDK} - {"NO_FILE", "SEVERAL_WORKFLOWS"}
