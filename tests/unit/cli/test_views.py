"""Runs and events in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from foldline.cli import notes, render, views, words
from foldline.cli.output import Output
from foldline.cli.views import RunView, StepView
from foldline.domain.artifacts import Artifact
from foldline.domain.failures import Failure
from foldline.domain.run_events import RunEvent

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize("type_", [event.__name__ for event in get_args(RunEvent)])
def test_every_event_of_a_run_has_words(type_: str) -> None:
    told = words.describe(type_, {"step": "a", "attempt": 1, "failure": {"message": "m", "reason": "R"}})

    assert told
    assert told != type_


@pytest.mark.parametrize(
    ("type_", "data", "text"),
    [
        ("WaitAnswered", {"outputs": {"approved": {"value": True}}}, "answered: approved=true"),
        ("StepExpanded", {"attempt": 1, "sizes": [100, 20]}, "attempt 1 began: 120 items in 2 runs"),
        ("AttemptProgressed", {"fraction": 0.5, "message": "epoch 5"}, "50%: epoch 5"),
        ("RunStopRequested", {"forced": True, "reason": "now"}, "stop by force asked for: now"),
        ("RunPaused", {}, "paused"),
        ("StepSkipped", {"reason": "unselected"}, "skipped (unselected)"),
        ("RunCreated", {"parent": {"run_id": "r", "step": "s"}}, "run inside step s of run r created"),
        ("Unheard", {}, "Unheard"),
    ],
)
def test_an_event_is_told_with_what_matters_in_it(type_: str, data: dict[str, Any], text: str) -> None:
    assert words.describe(type_, data) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.004, "0.00 s"), (9.99, "9.99 s"), (61, "61 s"), (150, "2 min 30 s"), (7300, "2 h 1 min")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert views.seconds(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (200 * 1024**2, "200.0 MiB")]
)
def test_sizes_are_short(size: int, text: str) -> None:
    assert views.amount(size) == text


def test_an_artifact_is_its_value_or_what_it_is() -> None:
    small = Artifact(digest="d", type="json", encoding="json", value={"a": 1})
    array = Artifact(
        digest="d",
        type="array",
        encoding="npy",
        size_bytes=2048,
        summary={"shape": [3, 4], "dtype": "float64"},
    )

    assert views.artifact(small) == '{"a":1}'
    assert views.artifact(array) == "array, 2.0 KiB (dtype float64, shape 3×4)"


def test_a_long_value_is_cut() -> None:
    long = Artifact(digest="d", type="str", encoding="json", value="x" * 500)

    assert len(views.artifact(long)) == 100


def test_the_bar_of_a_step_lies_where_the_step_lay_in_time() -> None:
    first = StepView(name="a", status="completed", start_time=NOON, end_time=after(5))
    second = StepView(name="b", status="running", start_time=after(5))
    view = RunView(create_time=NOON, steps={"a": first, "b": second})

    assert render.bar(first, view, after(10)) == "━" * 12
    assert render.bar(second, view, after(10)) == " " * 12 + "━" * 12


def test_of_a_long_run_those_steps_are_shown_that_matter_now() -> None:
    steps = [StepView(name=f"w{number}") for number in range(50)]
    steps += [
        StepView(name=f"c{number}", status="completed", start_time=NOON, end_time=after(number))
        for number in range(50)
    ]
    steps[10] = StepView(name="now", status="running", start_time=NOON)
    steps[90] = StepView(name="bad", status="failed", start_time=NOON, end_time=NOON)
    view = RunView(steps={step.name: step for step in steps})

    assert list(render.notable(view, 4)) == ["now", "bad", "c48", "c49"]
    assert render.notable(view, 1000) == view.steps


def test_a_failure_is_noted_before_everything_else() -> None:
    step = StepView(
        name="a", note="note", attempts=2, failure=Failure(kind="user", reason="STEP_RAISED", message="boom")
    )

    assert notes.note(step) == "boom (STEP_RAISED)"


def test_a_table_without_a_terminal_has_plain_columns_that_are_never_cut(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Output().table(("name", "text"), [("a", "x" * 200), ("long name", "y")])

    lines = capsys.readouterr().out.splitlines()
    assert lines == ["NAME       TEXT", f"a          {'x' * 200}", "long name  y"]


def test_with_json_nothing_but_json_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(json=True)

    out.say("hello")
    out.table(("a",), [("b",)])
    out.document({"time": NOON, "bytes": b"x"})

    assert capsys.readouterr().out == '{"time":"2026-01-01T12:00:00Z","bytes":"eA=="}\n'
