"""`foldline run` with every form of control flow, and with a person at the terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.test_local_run import answer_of, command, foldline_run

FORMS = Path(__file__).parent / "flows" / "forms.py"


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("mapping", ("--set", "count=250"), 250 * 249),
        ("looping", (), 81),
        ("nested", (), 6),
        ("approving", ("--answer", "gate=yes"), "it is True"),
        ("choosing", ("--answer", "size=large"), "it is large"),
        ("filling", ("--answer", 'settings={"rows": 3}'), "it is 3"),
        ("hearing", ("--answer", "labels=[1, 2]"), "it is [1, 2]"),
        ("delaying", ("--set", "rows=4"), "it is 4"),
        ("resuming", (), 42),
    ],
)
def test_each_form_runs_here(name: str, options: tuple[str, ...], expected: Any, tmp_path: Path) -> None:
    answer = answer_of(FORMS, tmp_path, "--workflow", name, *options)

    (output,) = answer["outputs"].values()
    assert output["value"] == expected


def test_a_no_fails_the_run(tmp_path: Path) -> None:
    answer = answer_of(FORMS, tmp_path, "--workflow", "approving", "--answer", "gate=no", code=1)

    assert answer["failure"]["reason"] == "REJECTED"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("approving", "give --answer gate=… with yes or no"),
        ("choosing", "give --answer size=… with one of small, large"),
        ("hearing", "waits for the event labels; give --answer labels=DATA"),
        ("delaying", "give --set rows=…"),
    ],
)
def test_a_question_that_nobody_answers_names_step_and_option(name: str, told: str, tmp_path: Path) -> None:
    result = foldline_run(FORMS, tmp_path, "--workflow", name)

    assert result.returncode == 4
    assert told in result.stderr
    assert "run stopped" in result.stdout


@pytest.mark.parametrize(
    ("name", "typed", "expected"),
    [
        ("approving", ["perhaps", "yes"], "it is True"),
        ("choosing", ["huge", "small"], "it is small"),
        ("filling", ["many", "7", ""], "it is 7"),
        ("delaying", ["9"], "it is 9"),
    ],
)
def test_a_person_at_the_terminal_is_asked(
    name: str, typed: list[str], expected: str, tmp_path: Path
) -> None:
    shown = on_a_terminal(command(FORMS, tmp_path, "--workflow", name), typed)

    assert expected in shown


def on_a_terminal(arguments: list[str], typed: list[str]) -> str:
    """What the command writes to a terminal on which somebody types a line whenever it asks."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(arguments, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True)
    os.close(theirs)
    shown = b""
    try:
        while select.select([ours], [], [], 60)[0]:
            try:
                shown += os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if typed and shown.endswith(b": "):
                os.write(ours, typed.pop(0).encode() + b"\n")
                shown += b"\n"
        assert process.wait(30) == 0, shown.decode(errors="replace")
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return shown.decode(errors="replace")
