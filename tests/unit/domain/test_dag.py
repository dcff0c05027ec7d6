"""Compiling finds every broken rule and names step and rule."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.domain.graphs import condition, function, graph, guarded, output

from foldline.domain import dag
from foldline.domain.spec import Binding, Function, Graph, Guard, Output, OutputRef, Parameter, Step


def problems(declared: Graph) -> list[tuple[str, str]]:
    with pytest.raises(dag.GraphError) as caught:
        dag.compile(declared)
    return [(problem.rule, problem.where) for problem in caught.value.problems]


def test_a_plan_orders_steps_behind_what_they_need() -> None:
    plan = dag.compile(graph(function("c", "a", "b"), function("b", "a"), function("a")))

    assert [plan.graph.steps[place].name for place in plan.order] == ["a", "b", "c"]
    assert plan.needs == ((1, 2), (2,), ())
    assert plan.feeds == ((), (0,), (0, 1))


def test_a_cycle_is_named_with_its_steps() -> None:
    declared = graph(function("a", "c"), function("b", "a"), function("c", "b"), function("free"))

    with pytest.raises(dag.GraphError, match=r"a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c"):
        dag.compile(declared)


def test_a_step_that_waits_for_itself_is_a_cycle() -> None:
    assert problems(graph(function("a", after=("a",)))) == [("CYCLE", "step a")]


def test_an_unknown_step_is_named_with_the_nearest_one() -> None:
    with pytest.raises(dag.GraphError, match="did you mean train"):
        dag.compile(graph(function("train"), function("b", "trian")))


@pytest.mark.parametrize("name", ["1st", "a b", "", "x" * 65, "ä"])
def test_an_illegal_step_name_is_refused(name: str) -> None:
    assert ("ILLEGAL_NAME", f"step {name!r}") in problems(graph(function(name)))


def test_a_name_used_twice_is_refused() -> None:
    assert problems(graph(function("a"), function("a"))) == [("DUPLICATE_NAME", "step a")]


def test_all_problems_are_reported_together() -> None:
    found = problems(graph(function("a", "x"), function("b", after=("y",)), function("c d")))

    assert [rule for rule, _ in found] == ["ILLEGAL_NAME", "UNKNOWN_STEP", "UNKNOWN_STEP"]


def test_an_output_of_one_type_does_not_fit_an_input_of_another() -> None:
    make = Step(
        name="make",
        kind="function",
        function=Function(module="m", name="make"),
        outputs=(Output(name="output", type="table"),),
    )
    use = function("use", "make", input_types={"from_make": "model"})

    with pytest.raises(
        dag.GraphError, match=r"step use: input from_make takes model, but make.output is table"
    ):
        dag.compile(graph(make, use))


@pytest.mark.parametrize(
    ("wanted", "given", "fits"),
    [
        ("float", 3, True),
        ("int", 3.5, False),
        ("int", True, False),
        ("json", {"a": 1}, True),
        ("str", 1, False),
    ],
)
def test_a_literal_must_fit_its_input(wanted: str, given: object, fits: bool) -> None:
    step = replace(function("a", input_types={"x": wanted}), inputs={"x": Binding(value=given)})
    declared = graph(step)

    if fits:
        dag.compile(declared)
    else:
        assert problems(declared) == [("TYPE_MISMATCH", "step a")]


def test_a_parameter_must_exist_and_fit() -> None:
    step = Step(
        name="a",
        kind="function",
        function=Function(module="m", name="a"),
        inputs={"x": Binding(parameter="rate"), "y": Binding(parameter="rats")},
        input_types={"x": "int"},
    )

    found = problems(graph(step, parameters=(Parameter(name="rate", type="float"),)))

    assert found == [("TYPE_MISMATCH", "step a"), ("UNKNOWN_PARAMETER", "step a")]


def test_an_unknown_output_is_named_with_those_there_are() -> None:
    step = Step(
        name="b",
        kind="function",
        function=Function(module="m", name="b"),
        inputs={"x": Binding(output=OutputRef(step="a", name="model"))},
    )

    with pytest.raises(dag.GraphError, match="a has these outputs: output"):
        dag.compile(graph(function("a"), step))


def test_a_guard_must_name_a_condition() -> None:
    assert problems(graph(function("a"), guarded(function("b"), "a", True))) == [("ILLEGAL_GUARD", "step b")]


def test_a_condition_cannot_compare_a_model() -> None:
    make = Step(
        name="make",
        kind="function",
        function=Function(module="m", name="make"),
        outputs=(Output(name="output", type="model"),),
    )

    assert problems(graph(make, condition("if", output("make"), "==", 1))) == [("NOT_COMPARABLE", "step if")]


def test_a_workflow_needs_a_step() -> None:
    assert problems(graph()) == [("NO_STEPS", "workflow example")]


def test_a_default_must_fit_its_parameter() -> None:
    wrong = Parameter(name="n", type="int", default="three")
    outside = Parameter(name="m", type="str", default="c", choices=("a", "b"))
    crossed = Parameter(name="k", type="int", minimum=3, maximum=2)

    found = problems(graph(function("a"), parameters=(wrong, outside, crossed)))

    assert found == [
        ("TYPE_MISMATCH", "parameter n"),
        ("NOT_A_CHOICE", "parameter m"),
        ("ILLEGAL_BOUNDS", "parameter k"),
    ]


def test_an_unknown_guard_is_named() -> None:
    step = Step(
        name="a", kind="function", function=Function(module="m", name="a"), guards=(Guard(step="no"),)
    )

    assert problems(graph(step)) == [("UNKNOWN_STEP", "step a")]


def test_the_plan_of_a_graph_is_made_once() -> None:
    one, equal = graph(function("a")), graph(function("a"))

    assert dag.lay_out(one) is dag.lay_out(one)
    assert dag.lay_out(equal) is not dag.lay_out(one)
    assert dag.lay_out(equal).graph is equal


def test_few_plans_are_kept_and_no_large_ones() -> None:
    first, large = graph(function("a")), graph(*(function(f"a{number}") for number in range(501)))
    plans = [dag.lay_out(first), dag.lay_out(large)]

    others = [dag.lay_out(graph(function("a"))) for _ in range(64)]

    assert dag.lay_out(first) is not plans[0]
    assert dag.lay_out(large) is not plans[1]
    assert dag.lay_out(others[-1].graph) is others[-1]
