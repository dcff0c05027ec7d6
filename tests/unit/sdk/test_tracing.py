"""What a workflow function becomes when it is traced."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypedDict

import pytest

import foldline as fl
from foldline.domain.spec import Binding, Expression, Graph, Guard, OutputRef
from foldline.sdk import graphs
from foldline.sdk.author import Workflow
from foldline.sdk.problems import AuthoringError


class Parts(NamedTuple):
    train: list[int]
    test: list[int]


class Report(TypedDict):
    text: str
    pages: int


@fl.step
def split(share: float = 0.25) -> Parts:
    return Parts([1], [2])


@fl.step
def train(data: list[int], depth: int = 3) -> dict[str, float]:
    return {"accuracy": 0.9}


@fl.step
def report(score: float) -> Report:
    return {"text": str(score), "pages": 1}


@fl.step
def tell(**facts: object) -> None:
    """Nothing."""


def graph_of(workflow: Workflow[..., Any]) -> Graph:
    return graphs.check(workflow).require()


def rules_of(workflow: Workflow[..., Any]) -> list[str]:
    return [problem.rule for problem in graphs.check(workflow).problems]


def test_a_step_is_a_plain_function_outside_of_a_workflow() -> None:
    assert split(share=0.5) == Parts([1], [2])
    assert split.name == "split"


def test_calls_become_steps_and_results_become_bindings() -> None:
    @fl.workflow
    def flow(depth: int = 2) -> object:
        parts = split()
        return train(parts.train, depth)

    graph = graph_of(flow)

    assert [step.name for step in graph.steps] == ["split", "train"]
    assert graph.steps[1].inputs == {
        "data": Binding(output=OutputRef(step="split", name="train")),
        "depth": Binding(parameter="depth"),
    }
    assert graph.outputs == {"output": Binding(output=OutputRef(step="train", name="output"))}


def test_uses_of_a_step_get_names_of_their_own_and_leave_the_authors_names_alone() -> None:
    @fl.workflow
    def flow() -> None:
        split()
        split()
        split.named("split-2")()
        split().named("last")  # type: ignore[attr-defined]  # on results, type checkers do not see it

    assert [step.name for step in graph_of(flow).steps] == ["split", "split-3", "split-2", "last"]


def test_a_key_of_a_json_result_is_a_path() -> None:
    @fl.workflow
    def flow() -> None:
        report(train([1])["folds"][0]["accuracy"])  # type: ignore[index]  # nested JSON

    binding = graph_of(flow).steps[1].inputs["score"]

    assert binding.output == OutputRef(step="train", name="output", path=("folds", "0", "accuracy"))


def test_fields_of_a_typed_dict_are_outputs_taken_by_key() -> None:
    @fl.workflow
    def flow() -> None:
        tell(text=report(0.5)["text"])

    binding = graph_of(flow).steps[1].inputs["text"]

    assert binding.output == OutputRef(step="report", name="text")


def test_a_named_tuple_is_unpacked() -> None:
    @fl.workflow
    def flow() -> None:
        first, second = split()
        tell(a=second, b=first)

    inputs = graph_of(flow).steps[1].inputs

    assert inputs["a"].output == OutputRef(step="split", name="test")
    assert inputs["b"].output == OutputRef(step="split", name="train")


def test_when_makes_a_condition_and_guards_of_both_branches() -> None:
    @fl.workflow
    def flow(accept_at: float = 0.95) -> None:
        metrics = train([1])
        with fl.when(metrics["accuracy"] >= accept_at):
            report(0.1)
        with fl.otherwise():
            tell(why="low")

    _, condition, accepted, rejected = graph_of(flow).steps

    assert condition.kind == "condition"
    assert condition.condition == Expression(
        op=">=",
        left=Binding(output=OutputRef(step="train", name="output", path=("accuracy",))),
        right=Binding(parameter="accept_at"),
    )
    assert accepted.guards == (Guard(step="when", branch=True),)
    assert rejected.guards == (Guard(step="when", branch=False),)


def test_branches_nest_and_each_otherwise_belongs_to_the_when_of_its_level() -> None:
    @fl.workflow
    def flow(a: bool = True, b: bool = False) -> None:
        with fl.when(a, name="outer"):
            with fl.when(b, name="inner"):
                split()
            with fl.otherwise():
                split()
        with fl.otherwise():
            split()

    steps = {step.name: step.guards for step in graph_of(flow).steps}

    assert steps == {
        "outer": (),
        "inner": (Guard(step="outer", branch=True),),
        "split": (Guard(step="inner", branch=True),),
        "split-2": (Guard(step="inner", branch=False),),
        "split-3": (Guard(step="outer", branch=False),),
    }


def test_conditions_combine() -> None:
    @fl.workflow
    def flow(mode: Literal["a", "b"] = "a", strict: bool = True) -> None:
        with fl.when(fl.any_of(fl.is_in(mode, {"b", "a"}), fl.not_(strict))):
            split()

    expression = graph_of(flow).steps[0].condition

    assert expression == Expression(
        op="or",
        terms=(
            Expression(op="in", left=Binding(parameter="mode"), right=Binding(value=["a", "b"])),
            Expression(
                op="not",
                terms=(Expression(op="==", left=Binding(parameter="strict"), right=Binding(value=True)),),
            ),
        ),
    )


def test_a_comparison_may_have_its_constant_on_the_left() -> None:
    @fl.workflow
    def flow() -> None:
        with fl.when(0.9 < train([1])["accuracy"]):  # noqa: SIM300
            split()

    expression = graph_of(flow).steps[1].condition

    assert expression
    assert expression.op == ">"


def test_after_orders_steps_without_data() -> None:
    @fl.workflow
    def flow() -> None:
        first = split()
        tell.after(first)(x=1)
        train.after("tell")([1])

    assert [step.after for step in graph_of(flow).steps] == [(), ("split",), ("tell",)]


def test_a_steps_policy_reaches_the_graph() -> None:
    @fl.workflow
    def flow() -> None:
        careful()

    step = graph_of(flow).steps[0]

    assert (step.name, step.title) == ("careful-one", "Careful")
    assert (step.retry.max_attempts, step.retry.delay_seconds) == (5, 1.5)
    assert step.retry.never_after == ("KeyError", "MyError")
    assert (step.timeouts.run_seconds, step.resources.pool) == (60, "gpu")
    assert (step.resources.cpu, step.resources.memory_bytes) == (2, 512 * 1024**2)
    assert step.allow_pickle


@fl.step(
    name="careful-one",
    title="Careful",
    retry=fl.Retry(max_attempts=5, delay=1.5, never_after=(KeyError, "MyError")),
    run_timeout=60,
    pool="gpu",
    cpu=2,
    memory="512MiB",
    allow_pickle=True,
)
def careful() -> None:
    pass


@pytest.mark.parametrize(
    ("text", "size"), [("1KiB", 1024), ("2 GB", 2_000_000_000), ("1.5G", 1_500_000_000), ("7", 7)]
)
def test_memory_is_written_as_people_write_it(text: str, size: int) -> None:
    assert fl.step(memory=text)(lambda: None).policy.memory_bytes == size


def test_memory_that_is_no_amount_is_refused() -> None:
    with pytest.raises(AuthoringError, match="ILLEGAL_POLICY"):
        fl.step(memory="lots")


@pytest.mark.parametrize(
    ("use", "rule"),
    [
        (lambda value: bool(value), "PLACEHOLDER_AS_BOOL"),
        (lambda value: 0 < value < 1, "PLACEHOLDER_AS_BOOL"),
        (lambda value: value in [1, 2], "PLACEHOLDER_AS_BOOL"),
        (lambda value: (value > 1) & (value < 2), "PLACEHOLDER_AS_BOOL"),
        (lambda value: value + 1, "PLACEHOLDER_IN_ARITHMETIC"),
        (lambda value: 1 - value, "PLACEHOLDER_IN_ARITHMETIC"),
        (lambda value: -value, "PLACEHOLDER_IN_ARITHMETIC"),
        (lambda value: int(value), "PLACEHOLDER_IN_ARITHMETIC"),
        (lambda value: range(value), "PLACEHOLDER_IN_ARITHMETIC"),
        (lambda value: f"{value}", "PLACEHOLDER_AS_TEXT"),
        (lambda value: str(value), "PLACEHOLDER_AS_TEXT"),
        (lambda value: len(value), "PLACEHOLDER_AS_COLLECTION"),
        (lambda value: list(value), "PLACEHOLDER_AS_COLLECTION"),
        (lambda value: fl.when(True).__enter__(), "ILLEGAL_CONDITION"),
        (lambda value: fl.all_of(), "ILLEGAL_CONDITION"),
    ],
)
def test_what_would_need_the_value_is_refused_with_advice(use: object, rule: str) -> None:
    @fl.workflow
    def flow(value: int = 1) -> None:
        use(value)  # type: ignore[operator]

    @fl.workflow
    def flow_of_a_result() -> None:
        use(train([1]))  # type: ignore[operator]

    assert rules_of(flow) == [rule]
    assert rules_of(flow_of_a_result) == [rule]


def test_several_problems_are_reported_together_with_their_lines() -> None:
    @fl.workflow
    def flow(size: int = fl.param(3, ge=5, le=4)) -> None:
        split(nothing=size)  # type: ignore[call-arg]
        tell(many=[size])
        train(object())  # type: ignore[arg-type]

    problems = graphs.check(flow).problems

    assert {problem.rule for problem in problems} == {
        "ILLEGAL_BOUNDS",
        "ILLEGAL_CALL",
        "PLACEHOLDER_IN_COLLECTION",
        "VALUE_NOT_JSON",
    }
    assert len({problem.site.line for problem in problems}) == 4
    assert all(problem.site.file == __file__ for problem in problems)


def test_a_workflow_function_that_raises_is_a_problem_at_its_line() -> None:
    @fl.workflow
    def flow() -> None:
        split()
        raise LookupError("no such thing")

    (problem,) = graphs.check(flow).problems

    assert problem.rule == "WORKFLOW_RAISED"
    assert "LookupError" in problem.message
    assert problem.site.line == flow.site.line + 3


def test_a_workflow_cannot_be_called() -> None:
    @fl.workflow
    def flow() -> None:
        split()

    with pytest.raises(AuthoringError, match="WORKFLOW_CALLED"):
        flow()


def test_when_outside_of_a_workflow_is_refused() -> None:
    with pytest.raises(AuthoringError, match="OUTSIDE_WORKFLOW"), fl.when(True):
        pass


@fl.step
async def slow() -> int:
    return 1


@fl.step
def endless() -> object:
    yield 1


def test_a_step_is_a_plain_function_and_so_is_a_workflow() -> None:
    @fl.workflow
    def flow() -> None:
        slow()  # type: ignore[unused-coroutine]
        endless()

    @fl.workflow
    async def late() -> None:
        split()

    assert rules_of(flow) == ["ILLEGAL_SIGNATURE"] * 2
    assert rules_of(late) == ["ILLEGAL_SIGNATURE"]


def test_an_output_must_be_a_result() -> None:
    @fl.workflow
    def flow() -> object:
        split()
        return {"answer": 42}

    assert rules_of(flow) == ["ILLEGAL_OUTPUT"]


def test_an_exception_in_a_traced_function_leaves_no_trace_behind() -> None:
    @fl.workflow
    def flow() -> None:
        raise LookupError

    graphs.check(flow)

    assert split() == Parts([1], [2])
