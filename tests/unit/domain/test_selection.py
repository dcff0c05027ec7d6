"""Partial runs: which steps, and what they lack."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.domain.graphs import artifact, condition, function, graph, guarded, output

from foldline.domain.errors import FoldlineError
from foldline.domain.relations import Reuse
from foldline.domain.selection import check_selection, parameters_of, required_parameters, select
from foldline.domain.spec import Binding, Graph, Merge, MetricRef, OutputRef, Parameter, Scene, Step

#: load -> clean -> train -> report, and load -> count; a handler at the end.
FLOW = graph(
    function("load"),
    function("clean", "load"),
    function("train", "clean"),
    function("report", "train"),
    function("count", "load"),
    function("tell", handles="exit"),
    scenes=(Scene(name="preparation", steps=("clean", "load")),),
)


def reuse(step: str, **outputs: int) -> Reuse:
    return Reuse(
        run_id="r", step=step, attempt=1, outputs={name: artifact(value) for name, value in outputs.items()}
    )


def rules(graph: Graph, *selection: str, **given: Reuse) -> list[str]:
    return [f"{one.where}: {one.rule}" for one in check_selection(graph, selection, given)]


def test_nothing_chosen_means_every_step() -> None:
    assert select(FLOW) == ()


def test_only_these_steps_in_the_graphs_order() -> None:
    assert select(FLOW, only=["train", "load"]) == ("load", "train")


def test_from_a_step_goes_everything_that_hangs_on_it_and_the_handlers() -> None:
    assert select(FLOW, from_=["clean"]) == ("clean", "train", "report", "tell")


def test_until_a_step_goes_everything_that_it_needs() -> None:
    assert select(FLOW, until=["train"]) == ("load", "clean", "train", "tell")


def test_several_mean_what_is_in_all_of_them() -> None:
    assert select(FLOW, from_=["clean"], until=["train"]) == ("clean", "train", "tell")
    assert select(FLOW, only=["train", "count"], from_=["clean"]) == ("train",)


def test_a_scene_is_its_steps() -> None:
    assert select(FLOW, scene="preparation") == ("load", "clean")


@pytest.mark.parametrize(
    ("chosen", "reason", "told"),
    [
        ({"only": ["trian"]}, "UNKNOWN_STEP", "did you mean train?"),
        ({"scene": "prep"}, "UNKNOWN_SCENE", "it has preparation"),
        ({"scene": "preparation", "only": ["load"]}, "ILLEGAL_SELECTION", "cannot be given with it"),
        ({"only": ["count"], "from_": ["clean"]}, "NOTHING_SELECTED", "no step is in all"),
        ({"from_": ["report"], "until": ["load"]}, "NOTHING_SELECTED", "no step is in all"),
    ],
)
def test_what_cannot_be_selected_is_refused(chosen: dict[str, Any], reason: str, told: str) -> None:
    with pytest.raises(FoldlineError) as refused:
        select(FLOW, **chosen)

    assert refused.value.reason == reason
    assert told in refused.value.message


def test_an_input_of_a_step_that_does_not_run_is_missing_and_both_are_named() -> None:
    (problem,) = check_selection(FLOW, ("train", "report"))

    assert problem.rule == "UNSELECTED_INPUT"
    assert str(problem).startswith("step train: takes clean.output, but clean is not selected")


def test_an_earlier_run_may_give_what_is_not_selected() -> None:
    assert rules(FLOW, "train", clean=reuse("clean", output=1)) == []
    assert rules(FLOW, "train", clean=reuse("clean", other=1)) == ["step train: UNSELECTED_INPUT"]


def test_a_step_behind_another_by_order_alone_needs_nothing_of_it() -> None:
    flow = graph(function("a"), function("b", after=("a",)))

    assert rules(flow, "b") == []


def test_of_a_merge_one_alternative_is_enough() -> None:
    merge = Binding(
        merge=Merge(outputs=(OutputRef(step="a", name="output"), OutputRef(step="b", name="output")))
    )
    last = Step(**{**_fields(function("c")), "inputs": {"x": merge}})
    flow = graph(function("a"), function("b"), last)

    assert rules(flow, "a", "c") == []
    assert rules(flow, "c") == ["step c: UNSELECTED_INPUT"]


def test_conditions_need_what_they_compare_and_a_guard_needs_no_condition() -> None:
    flow = graph(
        function("a"),
        condition("large", output("a"), ">", 1),
        guarded(function("b"), by="large", branch=True),
    )

    assert rules(flow, "large", "b") == ["step large: UNSELECTED_INPUT"]
    assert rules(flow, "b") == []


def test_metrics_are_needed_as_outputs_are() -> None:
    metric = Binding(metric=MetricRef(step="a", name="loss"))
    flow = graph(function("a"), condition("good", metric, "<", 1))

    assert rules(flow, "good") == ["step good: UNSELECTED_INPUT"]
    assert rules(flow, "good", a=Reuse(run_id="r", step="a", metrics={"loss": 0.5})) == []


def test_only_parameters_that_selected_steps_look_at_are_required() -> None:
    parameters = (
        Parameter(name="rows", type="int"),
        Parameter(name="rate", type="float"),
        Parameter(name="name", type="str", default="x"),
    )
    load = Step(**{**_fields(function("load")), "inputs": {"rows": Binding(parameter="rows")}})
    train = Step(**{**_fields(function("train")), "inputs": {"rate": Binding(parameter="rate")}})
    flow = graph(load, train, parameters=parameters)

    assert required_parameters(flow) == ("rows", "rate")
    assert required_parameters(flow, ("train",)) == ("rate",)
    assert [one.name for one in parameters_of(flow, ("train",))] == ["rate", "name"]
    assert [one.name for one in parameters_of(flow, ("train",), {"rows"})] == ["rows", "rate", "name"]


def _fields(step: Step) -> dict[str, Any]:
    return {name: getattr(step, name) for name in step.__struct_fields__}
