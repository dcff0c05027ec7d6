"""What reaches a terminal."""

from __future__ import annotations

import pytest
from rich.console import Console
from tests.builders import NOON

from foldline.cli import render, views
from foldline.cli.metrics import curve
from foldline.cli.output import Output

RED = "\x1b[31mred\x1b[0m"
CLIPBOARD = "\x1b]52;c;cm0gLXJmIC8=\x07"


def test_only_colours_of_a_step_reach_a_terminal(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    out = Output()
    out.is_terminal = True

    out.say_line(f"{RED}{CLIPBOARD}\x00", before="0 | ")

    assert capsysbinary.readouterr().out == b"0 | \x1b[31mred\x1b[0m\\x00\x1b[0m\n"


def test_no_colours_reach_a_file(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    Output().say_line(f"{RED}{CLIPBOARD}")

    assert capsysbinary.readouterr().out == b"red\n"


def test_what_is_said_for_people_is_obeyed_by_no_terminal(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    Output().say(f"failed: {CLIPBOARD}\x1b[2J\n  second line")
    Output().table(("metric",), [[f"a{CLIPBOARD}b"]])

    assert capsysbinary.readouterr().out == b"failed: \n  second line\nMETRIC\nab\n"


def test_the_message_of_a_step_is_text_and_no_markup() -> None:
    step = views.StepView(
        name="a", kind="function", status="running", fraction=0.5, message="[/bold] \x1b[2J"
    )
    view = views.RunView(steps={"a": step})
    console = Console(width=100, force_terminal=False)

    with console.capture() as captured:
        console.print(render.steps(view, NOON))

    assert "50% [/bold]" in captured.get()


def test_a_curve_shows_the_course_of_any_numbers() -> None:
    assert curve([0, 1, 2, 3]) == "▁▃▆█"
    assert curve([5, 5]) == "▁▁"
    assert curve([]) == ""
    assert len(curve([-1.7e308, 1.7e308, 0.0])) == 3
    assert curve([5e-324, 0.0]) == "▁▁"
