"""Which steps are skipped, and why, beyond what test_forms shows."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.domain.test_forms import Lab, call, graph, merge_of, play, ref

from foldline.domain.commands import ProvideParameters
from foldline.domain.spec import Binding, Expression, Graph, Output, Parameter


def test_a_failure_takes_along_what_is_behind_it_however_far() -> None:
    lab = Lab()
    lab.failing = ["a"]
    last = replace(call("d"), after=("b", "c"))

    world = play(graph(call("a"), call("b", x=ref("a")), call("c"), last, on_failure="continue"), lab)

    assert [step.status for step in world.state.steps] == ["failed", "skipped", "completed", "skipped"]
    assert world.state.step("d").note == "failed: b"


def merged(lab: Lab) -> str:
    never = Expression(op="==", left=Binding(value=1), right=Binding(value=1))
    left, right = call("left"), replace(call("right"), skip_when=never)
    declared: Graph = graph(left, right, call("join", x=merge_of("left", "right")), on_failure="continue")
    return play(declared, lab).state.step("join").note


def test_a_merge_that_lacks_its_value_because_of_a_failure_is_skipped_for_it() -> None:
    lab = Lab()
    lab.failing = ["left"]

    assert merged(lab) == "failed: left"


def test_a_skip_condition_on_a_delayed_parameter_asks_for_it_first() -> None:
    skips = Expression(op="==", left=Binding(parameter="rows"), right=Binding(value=0))
    step = replace(call("a"), skip_when=skips)
    world = play(graph(step, parameters=(Parameter(name="rows", type="int", delayed=True),)))
    assert world.state.step("a").status == "asking"

    world.command(ProvideParameters({"rows": 0}))

    assert world.state.step("a").note == "condition: 0 == 0"


def test_a_step_that_is_skipped_by_its_condition_asks_for_nothing() -> None:
    always = Expression(op="==", left=Binding(value=1), right=Binding(value=1))
    step = replace(call("a", x=Binding(parameter="rows")), skip_when=always)

    world = play(graph(step, parameters=(Parameter(name="rows", type="int", delayed=True),)))

    assert world.state.step("a").status == "skipped"


def beside_a_skipped_one(skip_when: Expression) -> tuple[str, str]:
    """How the step `b` goes that looks at `a`, which was skipped."""
    always = Expression(op="==", left=Binding(value=1), right=Binding(value=1))
    a = replace(call("a"), skip_when=always)
    world = play(graph(a, call("c"), replace(call("b"), skip_when=skip_when, after=("c",))))
    step = world.state.step("b")
    return step.status, step.note


LOOKS = Expression(op="==", left=ref("a"), right=Binding(value=1))
TRUE = Expression(op="==", left=Binding(value=1), right=Binding(value=1))
FALSE = Expression(op="==", left=Binding(value=1), right=Binding(value=2))


@pytest.mark.parametrize(
    ("skip_when", "status"),
    [
        (LOOKS, "completed"),
        (Expression(op="not", terms=(LOOKS,)), "completed"),
        (Expression(op="or", terms=(LOOKS, TRUE)), "skipped"),
        (Expression(op="or", terms=(LOOKS, FALSE)), "completed"),
        (Expression(op="and", terms=(LOOKS, TRUE)), "completed"),
        (Expression(op="not", terms=(Expression(op="and", terms=(LOOKS, FALSE)),)), "skipped"),
    ],
)
def test_a_skip_condition_does_not_hold_by_what_a_skipped_step_would_have_given(
    skip_when: Expression, status: str
) -> None:
    assert beside_a_skipped_one(skip_when)[0] == status


def test_the_answer_of_a_skip_condition_names_the_step_that_did_not_run() -> None:
    status, note = beside_a_skipped_one(Expression(op="or", terms=(LOOKS, TRUE)))

    assert (status, note) == ("skipped", "condition: (a did not run) or (1 == 1)")


def test_a_skip_condition_on_an_output_that_a_step_did_not_give_fails() -> None:
    looks = Expression(op="==", left=ref("a", "other"), right=Binding(value=1))
    lab = Lab()
    two = replace(call("a"), outputs=(*call("a").outputs, Output(name="other")))

    world = play(graph(two, replace(call("b"), skip_when=looks)), lab)

    failure = world.state.step("b").failure
    assert failure is not None
    assert failure.reason == "OUTPUT_MISSING"
