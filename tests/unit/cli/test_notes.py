"""What is said about a step, and what there is to type when it waits for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from tests.unit.domain.test_forms import call, graph, map_step, play

from foldline.cli import advice, notes, runs, views
from foldline.cli.views import ChildrenView, RunView, StepView
from foldline.domain.failures import Failure
from foldline.domain.spec import Binding, Graph, Output, Parameter, Step, Wait
from foldline.domain.transitions import RUN

HELD = Failure(kind="unsafe", reason="RAN_BEFORE", message="it ran before")


def step(status: str, wait: Wait | None = None, **changes: Any) -> StepView:
    return StepView(name="a", status=status, question=wait, **changes)


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (step("asking", asked=("rate", "depth")), "asks for rate, depth"),
        (step("awaiting"), "waits for an answer"),
        (
            step("awaiting", Wait(kind="approve", prompt="Good?", assignee="grace")),
            "waits for an answer of grace: Good?",
        ),
        (step("awaiting", Wait(kind="event", event="arrived")), "waits for the event arrived"),
        (step("held", failure=HELD), "it ran before (RAN_BEFORE)"),
        (step("running", fraction=0.4, message="epoch 2", attempts=2), "40% epoch 2; attempt 2"),
        (step("completed", fraction=1.0), ""),
        (
            step("running", children=ChildrenView(total=3, items=250, succeeded=99, failed=1)),
            "100 of 250 items done, 1 failed",
        ),
        (step("running", children=ChildrenView(total=4, succeeded=3)), "3 of 4 runs done"),
        (step("completed", note="reused: equal", reused_from="r/a/1"), "reused: equal (r/a/1)"),
    ],
)
def test_a_note_says_what_matters_now(shown: StepView, text: str) -> None:
    assert notes.note(shown) == text


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (step("awaiting", Wait(kind="approve")), "foldline answer R a --yes"),
        (step("awaiting", Wait(kind="choose", choices=("x", "y"))), "foldline answer R a --choose x|y"),
        (
            step("awaiting", Wait(kind="values", fields=(Parameter(name="rate", type="float"),))),
            "foldline answer R a --set rate=VALUE",
        ),
        (step("awaiting", Wait(kind="event", event="arrived")), "foldline signal R arrived"),
        (step("asking", asked=("rate",)), "foldline provide R --set rate=VALUE"),
        (step("held", failure=HELD), "foldline retry R a"),
    ],
)
def test_whoever_is_waited_for_is_told_what_to_type(shown: StepView, text: str) -> None:
    view = RunView(run_id="R", steps={"a": shown, "b": step("running")})

    assert advice.lines(view) == [f"a waits for you: {text}"]


def test_runs_inside_steps_are_pointed_at() -> None:
    view = RunView(run_id="R", steps={"a": step("running", children=ChildrenView())})

    assert advice.lines(view) == ["runs inside a: foldline runs --children-of R"]


def test_a_local_run_is_seen_as_a_recorded_one_is() -> None:
    wait = Step(name="sure", kind="wait", wait=Wait(kind="approve"), outputs=(Output(name="by", type="str"),))
    declared: Graph = graph(map_step(Binding(value=[1, 2])), wait, call("after"))

    view = views.of_state(play(declared).state)

    assert notes.note(view.steps["each"]) == "2 of 2 items done"
    assert view.steps["sure"].question == Wait(kind="approve")
    assert view.steps["after"].status == "completed"


def test_the_statuses_that_one_may_ask_for_are_those_that_there_are() -> None:
    known: Mapping[str, Any] = RUN

    assert set(runs.STATUSES) == set(known)
