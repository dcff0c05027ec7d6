"""What maps, loops, sub-workflows, merges, handlers and waits become, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict

import pytest
from msgspec import UNSET

import foldline as fl
from foldline.domain.spec import (
    Binding,
    Body,
    Expression,
    Function,
    Graph,
    Guard,
    Map,
    Merge,
    MetricRef,
    Output,
    OutputRef,
    Parameter,
    Repeat,
    Step,
    Wait,
)
from foldline.sdk import graphs
from foldline.sdk.problems import AuthoringError
from foldline.sdk.workflows import Workflow

if TYPE_CHECKING:
    import pandas as pd


class Parts(NamedTuple):
    left: list[int]
    right: int


class Loss(TypedDict):
    weights: list[float]
    loss: float


@fl.step
def numbers(count: int = 3) -> list[int]:
    return [*range(count)]


@fl.step
def double(x: int, by: int = 2) -> int:
    return x * by


@fl.step
def total(values: list[int]) -> int:
    return sum(values)


@fl.step
def cut(x: int) -> Parts:
    return Parts([x], x)


@fl.step
def improve(weights: list[float], rate: float = 0.5) -> Loss:
    return {"weights": weights, "loss": rate}


@fl.step
def halve(x: float) -> float:
    return x / 2


@fl.step
def tell(**facts: object) -> None:
    """Nothing."""


@fl.step
def train(data: int) -> dict[str, float]:
    return {}


@fl.step
def load() -> pd.DataFrame:
    raise NotImplementedError


@fl.step
def fit(table: pd.DataFrame, size: int) -> float:
    return 1.0


@fl.workflow
def twice(x: int, by: int = fl.param(2, ge=1)) -> int:
    return double(double(x, by), by)


def graph_of(workflow: Workflow[..., Any]) -> Graph:
    return graphs.check(workflow).require()


def rules_of(workflow: Workflow[..., Any]) -> list[str]:
    return [problem.rule for problem in graphs.check(workflow).problems]


def refusal_of(body: Callable[[], object]) -> str:
    """The one rule that a workflow with this body breaks, at a line of this file."""

    def function() -> None:
        body()

    problems = graphs.check(Workflow(function)).problems
    assert all(problem.site.file == __file__ and problem.site.line for problem in problems)
    (rule,) = {problem.rule for problem in problems}
    return rule


def ref(step: str, name: str = "output", *path: str) -> Binding:
    return Binding(output=OutputRef(step=step, name=name, path=path))


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
                        function=Function(module=__name__, name="double"),
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


# -- branches, merges, metrics, handlers -----------------------------------------------------------


def test_a_chain_of_conditions_asks_one_after_the_other() -> None:
    @fl.workflow
    def flow(mode: Literal["a", "b", "c"] = "a") -> object:
        with fl.when(mode == "a", name="is-a"):
            one = double(1)
        with fl.otherwise_when(mode == "b", name="is-b"):
            two = double(2)
        with fl.otherwise():
            three = double(3)
        return fl.merge(one, fl.merge(two, three))

    graph = graph_of(flow)

    assert {step.name: step.guards for step in graph.steps} == {
        "is-a": (),
        "double": (Guard(step="is-a", branch=True),),
        "is-b": (Guard(step="is-a", branch=False),),
        "double-2": (Guard(step="is-b", branch=True),),
        "double-3": (Guard(step="is-b", branch=False),),
    }
    outputs = tuple(OutputRef(step=name, name="output") for name in ("double", "double-2", "double-3"))
    assert graph.outputs == {"output": Binding(merge=Merge(outputs=outputs))}


def test_a_merge_has_the_fields_and_keys_of_its_alternatives() -> None:
    @fl.workflow
    def flow(x: int = 1) -> None:
        with fl.when(x == 1):
            one, first = cut(1), train(1)
        with fl.otherwise():
            two, second = cut(2), train(2)
        total(fl.merge(one, two).left)
        with fl.when(fl.merge(first, second)["accuracy"] > 0.5):
            total([1])

    steps = {step.name: step for step in graph_of(flow).steps}
    left = (OutputRef(step="cut", name="left"), OutputRef(step="cut-2", name="left"))

    assert steps["total"].inputs == {"values": Binding(merge=Merge(outputs=left))}
    condition = steps["when-2"].condition
    assert condition
    assert condition.left
    assert condition.left.merge
    assert [one.path for one in condition.left.merge.outputs] == [("accuracy",)] * 2


def test_metrics_are_compared_and_handed_on() -> None:
    @fl.workflow
    def flow() -> None:
        found = train(1)
        with fl.when(fl.metric(found, "accuracy") >= 0.9):
            halve(fl.metric(found["x"], "loss"))

    _, condition, halved = graph_of(flow).steps

    assert condition.condition
    assert condition.condition.left == Binding(metric=MetricRef(step="train", name="accuracy"))
    assert halved.inputs == {"x": Binding(metric=MetricRef(step="train", name="loss"))}


def test_handlers_know_how_the_run_ended() -> None:
    @fl.workflow
    def flow() -> None:
        found = numbers()
        with fl.on_failure():
            tell(step=fl.outcome.step, why=fl.outcome.reason, text=fl.outcome.message, found=found)
        with fl.on_exit():
            with fl.when(fl.outcome.status == "stopped"):
                tell()
            with fl.otherwise():
                total(found)

    _, failed, stopped, told, counted = graph_of(flow).steps

    assert [step.handles for step in (failed, stopped, told, counted)] == ["failure", *["exit"] * 3]
    assert failed.inputs == {
        "step": Binding(fact="step"),
        "why": Binding(fact="reason"),
        "text": Binding(fact="message"),
        "found": ref("numbers"),
    }
    assert stopped.condition
    assert stopped.condition.left == Binding(fact="status")
    assert counted.guards == (Guard(step="when", branch=False),)


def _handler_in_when() -> None:
    with fl.when(total([1]) == 1), fl.on_exit():
        tell()


def _handler_in_handler() -> None:
    with fl.on_failure(), fl.on_exit():
        tell()


def _handler_needed() -> None:
    with fl.on_exit():
        found = numbers()
    total(found)


def _fact_outside() -> None:
    with fl.when(fl.outcome.status == "failed"):
        tell()


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (lambda: total(fl.merge(numbers(), [1])), "ILLEGAL_MERGE"),
        (lambda: total(fl.merge(numbers())), "ILLEGAL_MERGE"),
        (lambda: halve(fl.merge(cut(1), cut(2)).left), "TYPE_MISMATCH"),  # type: ignore[arg-type]
        (lambda: total(fl.merge(cut(1), cut(2)).middle), "UNKNOWN_OUTPUT"),  # type: ignore[attr-defined]
        (lambda: tell(x=fl.merge(cut(1), cut(2))), "SEVERAL_OUTPUTS"),
        (lambda: halve(fl.metric(5, "loss")), "NO_METRICS"),
        (lambda: halve(fl.metric(twice(1), "loss")), "NO_METRICS"),
        (lambda: tell(x=fl.outcome.message), "ILLEGAL_FACT"),
        (_fact_outside, "ILLEGAL_FACT"),
        (_handler_in_when, "ILLEGAL_HANDLER"),
        (_handler_in_handler, "ILLEGAL_HANDLER"),
        (_handler_needed, "HANDLER_NEEDED"),
        (lambda: double.skip_when(True)(1), "ILLEGAL_CONDITION"),
        (lambda: fl.otherwise_when(total([1]) == 1).__enter__(), "OTHERWISE_WITHOUT_WHEN"),
    ],
)
def test_what_joins_and_handles_wrongly_is_refused(body: Callable[[], object], rule: str) -> None:
    assert refusal_of(body) == rule


def test_a_handler_in_the_body_of_a_map_is_refused() -> None:
    @fl.workflow
    def inner(x: int) -> None:
        double(x)
        with fl.on_exit():
            tell()

    assert refusal_of(lambda: fl.map(inner, [1])) == "ILLEGAL_BODY"


# -- waits and delayed parameters ------------------------------------------------------------------


@dataclass(frozen=True)
class Training:
    rows: int = fl.param(10, ge=1, title="Rows")
    kind: Literal["small", "large"] = "small"
    note: str = ""


class Named(NamedTuple):
    name: str


def test_every_wait_says_what_it_waits_for() -> None:
    @fl.workflow
    def flow(limit: int = 3) -> None:
        fl.approve(
            "Publish?",
            assignee="ada",
            deadline=timedelta(minutes=2),
            at_deadline="reject",
            at_rejection="continue",
            name="publish",
            found=numbers(),
            limit=limit,
        )
        form = fl.ask("How?", Training, deadline=5, at_deadline="default")
        pick = fl.choose("Which?", ["a", "b"], at_deadline="skip")
        event = fl.wait_for_event("labels-ready", deadline=60)
        named = fl.ask("Who?", Named)
        tell(a=form.rows, b=pick, c=event.data["count"], d=named.name)

    _, publish, asked, chosen, event, named, told = graph_of(flow).steps

    assert publish.wait == Wait(
        kind="approve",
        prompt="Publish?",
        assignee="ada",
        deadline_seconds=120,
        at_deadline="reject",
        at_rejection="continue",
    )
    assert publish.inputs == {"found": ref("numbers"), "limit": Binding(parameter="limit")}
    assert [(one.name, one.type) for one in publish.outputs] == [
        ("approved", "bool"),
        ("by", "str"),
        ("comment", "str"),
    ]
    assert asked.wait
    assert asked.wait.fields == (
        Parameter(name="rows", type="int", title="Rows", default=10, minimum=1.0),
        Parameter(name="kind", type="str", default="small", choices=("small", "large")),
        Parameter(name="note", type="str", default=""),
    )
    assert chosen.wait == Wait(kind="choose", prompt="Which?", choices=("a", "b"), at_deadline="skip")
    assert event.wait == Wait(kind="event", event="labels-ready", deadline_seconds=60)
    assert [step.name for step in (publish, asked, chosen, event, named)] == [
        "publish",
        "ask",
        "choose",
        "event",
        "ask-2",
    ]
    assert told.inputs == {
        "a": ref("ask", "rows"),
        "b": ref("choose", "choice"),
        "c": ref("event", "data", "count"),
        "d": ref("ask-2", "name"),
    }


@dataclass(frozen=True)
class Later:
    rows: int = fl.param(delayed=True)


@dataclass(frozen=True)
class Odd:
    rows: bytes


@dataclass(frozen=True)
class Bounds:
    rows: int = fl.param(5, ge=3, le=1)


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (lambda: fl.ask("?", int), "ILLEGAL_FORM"),
        (lambda: fl.ask("?", Later), "ILLEGAL_FORM"),
        (lambda: fl.ask("?", Odd), "PARAMETER_TYPE"),
        (lambda: fl.ask("?", Bounds), "ILLEGAL_BOUNDS"),
        (lambda: fl.ask("?", Named, deadline=5, at_deadline="default"), "ILLEGAL_WAIT"),
        (lambda: fl.choose("?", []), "ILLEGAL_WAIT"),
        (lambda: fl.wait_for_event(""), "ILLEGAL_WAIT"),
        (lambda: fl.approve("?", deadline=-1), "ILLEGAL_POLICY"),
        (lambda: fl.approve("?", at_deadline="default"), "ILLEGAL_POLICY"),  # type: ignore[arg-type]
        (lambda: fl.approve("?", found=object()), "VALUE_NOT_JSON"),
        (lambda: tell(x=fl.approve("?")), "SEVERAL_OUTPUTS"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(body: Callable[[], object], rule: str) -> None:
    assert refusal_of(body) == rule


def test_delayed_parameters_are_not_required_and_belong_to_workflows() -> None:
    @fl.workflow
    def flow(rows: int = fl.param(delayed=True), name: str = fl.param("x", delayed=True)) -> int:
        tell(name=name)
        return double(rows)

    @fl.workflow
    def around() -> None:
        flow()

    @fl.workflow
    def each() -> None:
        fl.map(flow, {"name": ["a"]})

    assert graph_of(flow).parameters == (
        Parameter(name="rows", type="int", delayed=True),
        Parameter(name="name", type="str", default="x", delayed=True),
    )
    assert graph_of(around).steps[0].inputs == {}
    assert set(rules_of(each)) == {"ILLEGAL_BODY"}


# -- policies, scenes, codes -----------------------------------------------------------------------


@fl.step(
    retry=fl.Retry(max_attempts=2, delay=timedelta(seconds=3), on_exhausted="pause", jitter=0.5),
    run_timeout=timedelta(hours=1),
    queue_timeout=1,
    total_timeout=2,
    silence_timeout=3,
    flavor="gpu-large",
    gpu=2,
    max_active=4,
    effects="pure",
    cache=True,
)
def careful() -> int:
    return 1


def test_every_option_of_a_step_reaches_the_graph() -> None:
    @fl.workflow(on_failure="continue")
    def flow() -> None:
        careful()

    graph = graph_of(flow)
    step = graph.steps[0]

    assert graph.on_failure == "continue"
    assert (step.retry.delay_seconds, step.retry.on_exhausted, step.retry.jitter) == (3, "pause", 0.5)
    times = step.timeouts
    assert (times.run_seconds, times.queue_seconds, times.total_seconds) == (3600, 1, 2)
    assert times.silence_seconds == 3
    assert (step.resources.flavor, step.resources.gpu, step.max_active) == ("gpu-large", 2, 4)
    assert (step.effects, step.cache) == ("pure", True)


def test_options_that_are_none_are_refused_by_name() -> None:
    with pytest.raises(AuthoringError, match="did you mean run_timeout"):
        fl.step(run_timout=3)  # type: ignore[call-overload]


def test_scenes_name_steps_by_function_or_name() -> None:
    @fl.workflow(scenes={"all": [numbers, double, twice], "one": ["numbers", numbers]})
    def flow() -> None:
        double(1)
        fl.map(double, numbers())
        twice(1)

    @fl.workflow(scenes={"one": [cut, "numbres"]})
    def wrong() -> None:
        numbers()

    first, second = graph_of(flow).scenes

    assert first.steps == ("numbers", "double", "double-2", "twice")
    assert second.steps == ("numbers",)
    assert rules_of(wrong) == ["UNKNOWN_STEP", "UNKNOWN_STEP"]


def test_steps_have_the_digest_of_their_code_also_inside_bodies() -> None:
    @fl.workflow
    def flow() -> None:
        twice(numbers()[0])

    graph = graphs.check(flow, codes=lambda step: f"sha256:{step.name}").require()

    assert graph.steps[0].code == "sha256:numbers"
    assert graph.steps[1].code == ""
    assert graph.steps[1].body
    assert {step.code for step in graph.steps[1].body.graph.steps} == {"sha256:double"}
