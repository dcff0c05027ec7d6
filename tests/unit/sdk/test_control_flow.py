"""What branches, merges, handlers, waits and policies become, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, NamedTuple

import pytest
from tests.unit.sdk.flows import (
    cut,
    double,
    graph_of,
    halve,
    numbers,
    ref,
    refusal_of,
    rules_of,
    tell,
    total,
    train,
    twice,
)

import foldline as fl
from foldline.domain.spec import (
    Binding,
    Guard,
    Merge,
    MetricRef,
    OutputRef,
    Parameter,
    Wait,
)
from foldline.sdk import graphs
from foldline.sdk.problems import AuthoringError

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
