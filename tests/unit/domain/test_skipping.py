"""Which steps are skipped, and why, beyond what test_forms shows."""

from __future__ import annotations

from msgspec.structs import replace
from tests.unit.domain.test_forms import Lab, call, graph, merge_of, play, ref

from foldline.domain.spec import Binding, Expression, Graph


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
