"""Which steps are skipped, and why, beyond what test_forms shows."""

from __future__ import annotations

from msgspec.structs import replace
from tests.unit.domain.test_forms import Lab, call, graph, merge_of, play, ref

from foldline.domain.commands import ProvideParameters
from foldline.domain.spec import Binding, Expression, Graph, Parameter


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
