"""What maps, loops and sub-workflows become, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import UNSET
from tests.unit.sdk.flows import (
    Parts,
    cut,
    double,
    fit,
    graph_of,
    halve,
    improve,
    load,
    numbers,
    ref,
    refusal_of,
    rules_of,
    tell,
    total,
    twice,
)

import foldline as fl
from foldline.domain.spec import (
    Binding,
    Body,
    Expression,
    Function,
    Graph,
    Map,
    Output,
    Parameter,
    Repeat,
    Step,
)
from foldline.sdk import graphs
from foldline.sdk.problems import AuthoringError
from foldline.sdk.workflows import Workflow

if TYPE_CHECKING:
    import pandas as pd

# -- map -------------------------------------------------------------------------------------------


def test_a_map_of_a_step_has_the_step_as_its_body() -> None:
    @fl.workflow
    def flow(by: int = 3) -> int:
        return total(fl.map(double, numbers(), by=by, parallelism=4, tolerated=1))

    step = graph_of(flow).steps[1]

    assert step == Step(
        name="double",
        kind="map",
        inputs={"x": ref("numbers"), "by": Binding(parameter="by")},
        input_types={"by": "int"},
        outputs=(Output(name="output", type="list"),),
        map=Map(over="x", parallelism=4, tolerated=1),
        body=Body(
            graph=Graph(
                name="double",
                parameters=(Parameter(name="x", type="int"), Parameter(name="by", type="int")),
                steps=(
                    Step(
                        name="double",
                        kind="function",
                        function=Function(module=double.function.__module__, name="double"),
                        inputs={"x": Binding(parameter="x"), "by": Binding(parameter="by")},
                        input_types={"x": "int", "by": "int"},
                        outputs=(Output(name="output", type="int"),),
                    ),
                ),
                outputs={"output": ref("double")},
            )
        ),
    )


def test_what_a_map_gives_can_be_mapped_looked_into_and_handed_on() -> None:
    @fl.workflow
    def flow(counts: list[int] = fl.param([1, 2])) -> object:  # noqa: B008
        doubled = fl.map(double, fl.map(twice, counts))
        return {"first": doubled[0], "sum": total(doubled)}

    graph = graph_of(flow)

    assert [step.name for step in graph.steps] == ["twice", "double", "total"]
    assert graph.steps[1].inputs == {"x": ref("twice")}
    assert graph.steps[2].inputs == {"values": ref("double")}
    assert graph.outputs["first"] == ref("double", "output", "0")


def test_every_field_of_a_record_is_a_list() -> None:
    @fl.workflow
    def flow() -> None:
        parts = fl.map(cut, [1, 2])
        total(parts.right)

    graph = graph_of(flow)

    assert graph.steps[0].outputs == (Output(name="left", type="list"), Output(name="right", type="list"))
    assert graph.steps[1].inputs == {"values": ref("cut", "right")}


def test_the_item_is_the_first_free_parameter_or_the_one_named() -> None:
    @fl.workflow
    def flow() -> None:
        fl.map(double, [1], x=5)
        fl.map(double, {"by": [1]}, x=5)

    first, second = graph_of(flow).steps

    assert first.map == second.map == Map(over="by")
    assert first.inputs == {"by": Binding(value=[1]), "x": Binding(value=5)}


def test_uses_are_named_ordered_and_skipped_like_steps() -> None:
    @fl.workflow
    def flow(rows: int = 1) -> None:
        first = numbers()
        fl.map(double.named("each").after(first).skip_when(rows < 2), [1])
        twice.named("again").after("each")(1)
        double.skip_when(rows < 2).skip_when(first[0] == 1)(1)

    _, each, again, once = graph_of(flow).steps
    below = Expression(op="<", left=Binding(parameter="rows"), right=Binding(value=2))

    assert (each.name, each.after, each.skip_when) == ("each", ("numbers",), below)
    assert (again.name, again.after) == ("again", ("each",))
    assert once.skip_when == Expression(
        op="or",
        terms=(
            below,
            Expression(op="==", left=ref("numbers", "output", "0"), right=Binding(value=1)),
        ),
    )


def test_a_body_may_take_what_no_form_asks_for_and_is_still_checked() -> None:
    @fl.workflow
    def inner(size: int, table: pd.DataFrame) -> float:
        return fit(table, size)

    @fl.workflow
    def flow() -> None:
        fl.map(inner, [1], table=load())

    @fl.workflow
    def wrong() -> None:
        fl.map(inner, [1], table=numbers())

    found = graphs.check_all([inner, flow, wrong])
    rules = [{problem.rule for problem in one.problems} for one in found]

    assert rules == [set(), set(), {"TYPE_MISMATCH"}]
    assert found[1].graph is not None
    body = found[1].graph.steps[1].body
    assert body is not UNSET
    assert body.graph.parameters[1] == Parameter(name="table", type="json")
    assert [one.name for one in graphs.outermost([inner, flow])] == ["flow"]
    assert "PARAMETER_TYPE" in rules_of(inner)


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (lambda: fl.map(len, [1]), "ILLEGAL_BODY"),
        (lambda: fl.map(double, 5), "NOT_A_LIST"),
        (lambda: fl.map(double, "abc"), "NOT_A_LIST"),
        (lambda: fl.map(double, total([1])), "NOT_A_LIST"),
        (lambda: fl.map(double, ["a"]), "TYPE_MISMATCH"),
        (lambda: fl.map(double, [1], by="a"), "TYPE_MISMATCH"),
        (lambda: fl.map(double, [1], to=2), "ILLEGAL_CALL"),
        (lambda: fl.map(tell, [1]), "ILLEGAL_CALL"),
        (lambda: fl.map(double, [numbers()]), "PLACEHOLDER_IN_COLLECTION"),
        (lambda: fl.map(twice, [1], by=0), "ILLEGAL_VALUE"),
        (lambda: fl.map(twice, [1], to=2), "UNKNOWN_PARAMETER"),
        (lambda: fl.map(double, [1], parallelism=-1), "ILLEGAL_POLICY"),
        (lambda: double(*fl.map(double, [1])), "PLACEHOLDER_AS_COLLECTION"),
        (lambda: total(fl.map(double, [1]).output), "UNKNOWN_OUTPUT"),  # type: ignore[attr-defined]
    ],
)
def test_a_map_that_cannot_be_is_refused(body: Callable[[], object], rule: str) -> None:
    assert refusal_of(body) == rule


# -- repeat ----------------------------------------------------------------------------------------


def test_a_loop_carries_outputs_to_parameters_of_the_same_name() -> None:
    @fl.workflow
    def flow(good: float = 0.1) -> object:
        final = fl.repeat(
            improve, until=lambda out: out["loss"] <= good, maximum=7, at_maximum="complete", weights=[1.0]
        )
        return {"weights": final["weights"]}

    graph = graph_of(flow)
    step = graph.steps[0]

    assert (step.name, step.kind) == ("improve", "repeat")
    assert step.inputs == {"weights": Binding(value=[1.0])}
    assert step.outputs == (Output(name="weights", type="json"), Output(name="loss", type="float"))
    assert step.repeat == Repeat(
        until=Expression(op="<=", left=ref("", "loss"), right=Binding(parameter="good")),
        max_iterations=7,
        carry={"weights": "weights"},
        at_maximum="complete",
    )
    assert graph.outputs == {"weights": ref("improve", "weights")}


def test_the_only_output_of_a_body_is_carried_where_one_says() -> None:
    @fl.workflow
    def flow() -> None:
        fl.repeat(halve, until=lambda x: x < 1, carry="x", x=64.0)
        fl.repeat(twice, until=lambda x: x > 100, carry={"x": "output"}, x=1)
        fl.repeat(double, until=lambda x: x > 100, carry={"by": "output"}, x=2)

    first, second, third = graph_of(flow).steps

    assert first.repeat
    assert first.repeat.until == Expression(op="<", left=ref("", "output"), right=Binding(value=1))
    assert first.repeat.carry == {"x": "output"}
    assert second.repeat
    assert second.repeat.carry == {"x": "output"}
    assert third.body
    assert third.body.graph.parameters == (
        Parameter(name="x", type="int"),
        Parameter(name="by", type="int", default=2),
    )


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (lambda: fl.repeat(halve, until=lambda _: True, x=1.0), "ILLEGAL_CONDITION"),
        (lambda: fl.repeat(halve, until=lambda x: x < 1), "ILLEGAL_CALL"),
        (lambda: fl.repeat(twice, until=lambda x: x < 1), "PARAMETER_MISSING"),
        (lambda: fl.repeat(halve, until=lambda x: x < 1, maximum=0, x=1.0), "ILLEGAL_POLICY"),
        (lambda: fl.repeat(improve, until=lambda o: o["loss"] < 1, carry="weights"), "SEVERAL_OUTPUTS"),
        (
            lambda: fl.repeat(
                improve, until=lambda o: o["loss"] < 1, carry={"rate": "weights"}, weights=[1.0]
            ),
            "TYPE_MISMATCH",
        ),
        (
            lambda: fl.repeat(twice, until=lambda x: x < 1, carry={"y": "output"}, x=1),
            "UNKNOWN_PARAMETER",
        ),
        (lambda: fl.repeat(twice, until=lambda x: x < 1, carry={"x": "y"}, x=1), "UNKNOWN_OUTPUT"),
        (lambda: fl.repeat(tell, until=lambda x: x == 1), "NO_OUTPUT"),
    ],
)
def test_a_loop_that_cannot_be_is_refused(body: Callable[[], object], rule: str) -> None:
    assert refusal_of(body) == rule


def test_what_the_end_condition_sees_stays_inside() -> None:
    def body() -> None:
        seen = []
        fl.repeat(halve, until=lambda x: seen.append(x) or x < 1, carry="x", x=1.0)  # type: ignore[func-returns-value,redundant-expr]
        tell(x=seen[0])

    assert refusal_of(body) == "FOREIGN_RESULT"


# -- sub-workflows ---------------------------------------------------------------------------------


def test_a_workflow_inside_a_workflow_is_a_step() -> None:
    @fl.workflow
    def flow() -> int:
        return double(twice(3, by=4))

    inside, outside = graph_of(flow).steps

    assert (inside.name, inside.kind) == ("twice", "workflow")
    assert inside.inputs == {"x": Binding(value=3), "by": Binding(value=4)}
    assert inside.outputs == (Output(name="output", type="int"),)
    assert inside.body
    assert [step.name for step in inside.body.graph.steps] == ["double", "double-2"]
    assert outside.inputs == {"x": ref("twice")}


def test_outputs_of_a_sub_workflow_have_the_names_that_it_gives_them() -> None:
    @fl.workflow
    def inner(x: int) -> Any:
        return {"sum": double(x), "parts": cut(x).left, "same": x}

    @fl.workflow
    def record(x: int) -> Parts:
        return cut(x)

    @fl.workflow
    def flow() -> None:
        tell(a=inner(1)["sum"], b=inner(2)["same"])
        total(record(1).left)

    one, _, _, parts, _ = graph_of(flow).steps

    assert {output.name: output.type for output in one.outputs} == {
        "sum": "int",
        "parts": "json",
        "same": "int",
    }
    assert [output.name for output in parts.outputs] == ["left", "right"]


def test_a_sub_workflow_of_another_release_is_pinned() -> None:
    digest = f"sha256:{'ab' * 32}"
    clean = fl.released(f"clean@{digest}")

    @fl.workflow
    def flow() -> None:
        total(clean(x=1).rows)
        fl.map(clean, {"x": [1, 2]})
        fl.repeat(clean, until=lambda out: out.x > 3, x=1)

    graph = graph_of(Workflow(_pinned, "clean"))
    body = Body(graph=graph, release=digest, bundle="sha256:b", environment="sha256:e")

    checked = graphs.check(flow, releases={("clean", digest): body})

    assert graphs.pins(flow) == {("clean", digest)}
    once, _, each, again = checked.require().steps
    assert once.body == each.body == again.body == body
    assert each.outputs == (Output(name="rows", type="list"), Output(name="x", type="list"))
    assert again.repeat
    assert again.repeat.carry == {"x": "x"}


def _pinned(x: int) -> object:
    made = double(x)
    return {"rows": made, "x": made}


def test_a_release_that_is_not_known_is_refused_with_the_reason() -> None:
    digest = f"sha256:{'ab' * 32}"
    clean = fl.released("clean", digest)

    @fl.workflow
    def flow() -> None:
        clean(x=1)

    (unknown,) = graphs.check(flow).problems
    (other,) = graphs.check(flow, releases={("clean", digest): "no server is known"}).problems

    assert unknown.rule == other.rule == "RELEASE_UNKNOWN"
    assert "no server is known" in other.message
    with pytest.raises(AuthoringError, match="ILLEGAL_RELEASE"):
        fl.released("clean")


def test_problems_inside_bodies_have_their_own_lines_and_come_once() -> None:
    @fl.workflow
    def inner(x: int) -> int:
        tell(many=[x])
        return double.after("duoble")(x)

    @fl.workflow
    def flow() -> None:
        inner(1)
        fl.map(inner, [2])

    problems = graphs.check(flow).problems

    assert [(one.rule, one.site.line - inner.site.line) for one in problems] == [
        ("PLACEHOLDER_IN_COLLECTION", 2),
        ("UNKNOWN_STEP", 3),
    ]


def test_a_workflow_that_calls_itself_is_refused() -> None:
    def function(x: int = 1) -> None:
        declared()

    declared = Workflow(function)

    assert rules_of(declared) == ["RECURSIVE_WORKFLOW"]


def test_a_body_knows_nothing_of_what_is_around_it() -> None:
    @fl.workflow
    def flow(rows: int = 1) -> None:
        outside = numbers()

        @fl.workflow
        def inner() -> None:
            tell(a=outside)

        @fl.workflow
        def other() -> None:
            tell(a=rows)

        inner()
        other()

    assert rules_of(flow) == ["FOREIGN_RESULT", "FOREIGN_RESULT"]


def test_nesting_has_an_end() -> None:
    declared: Workflow[..., Any] = twice
    for number in range(9):
        declared = _around(declared, number)

    assert rules_of(_around(declared, 9)) == ["NESTED_TOO_DEEP"] * 2


def _around(inner: Workflow[..., Any], number: int) -> Workflow[..., Any]:
    def function(x: int = 1) -> Any:
        return inner(x)

    return Workflow(function, f"level-{number}")
