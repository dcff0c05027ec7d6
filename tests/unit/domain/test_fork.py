"""Forks of generated runs: as good as clean runs with the same edit, and not one attempt more than needed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace
from tests.unit.domain import workflows as wf
from tests.unit.domain.examples import share

from foldline.api.scheduler.v1 import scheduler_service_pb2
from foldline.domain.commands import RetrySteps
from foldline.domain.decide import Refused
from foldline.domain.errors import FoldlineError
from foldline.domain.forecast import plan
from foldline.domain.fork import Code, Edits, fork
from foldline.domain.outlook import PlannedStep
from foldline.domain.paths import path_of
from foldline.domain.recall import index
from foldline.domain.run_events import RunCreated
from foldline.domain.spec import (
    Binding,
    Body,
    Expression,
    Graph,
    Guard,
    Map,
    Output,
    Parameter,
    Step,
)
from foldline.testing.world import World


def first_run(graph: Graph, sources: wf.Sources, values: dict[str, Any]) -> World:
    code = wf.code(sources, graph)
    created = RunCreated(
        run_id="run",
        workspace="w",
        workflow="example",
        release=code.release,
        region="r",
        graph=code.graph,
        parameters=values,
        bundle=code.bundle,
        environment=code.environment,
    )
    return wf.started(sources, created=created)


class Story:
    """A run, a fork of it with a random edit, and a clean run with the same edit."""

    def __init__(self, data: st.DataObject) -> None:
        graph = data.draw(wf.graphs())
        before = wf.Sources(data.draw(wf.versions), data.draw(wf.broken))
        self.before = before
        self.origin = first_run(graph, before, data.draw(wf.values))
        changed = data.draw(st.one_of(st.just(before.versions), wf.versions))
        self.edits = data.draw(wf.edits(graph))
        self.after, self.clean_after = wf.Sources(changed), wf.Sources(changed)
        self.created = fork(self.origin.state, self.edits, run_id="fork", code=wf.code(self.after, graph))
        self.planned = plan(self.created, index(self.origin.runs.values()))
        self.fork = wf.started(self.after, created=self.created, earlier=[self.origin])
        self.clean = wf.started(self.clean_after, created=replace(self.created, run_id="clean", origin=UNSET))


@given(st.data())
@share(60)
def test_a_fork_gives_what_a_clean_run_with_the_same_edit_gives(data: st.DataObject) -> None:
    story = Story(data)

    assert wf.outcome(story.fork) == wf.outcome(story.clean)


@given(st.data())
@share(60)
def test_a_fork_runs_what_nothing_equal_is_known_of_and_nothing_else(data: st.DataObject) -> None:
    story = Story(data)

    needed = [
        signature
        for step, signature in story.clean_after.calls
        if signature not in story.before.succeeded or step in story.edits.again
    ]
    assert Counter(signature for _, signature in story.after.calls) == Counter(needed)


@given(st.data())
@share(60)
def test_a_fork_does_what_its_plan_said(data: st.DataObject) -> None:
    story = Story(data)
    ran = {step for step, _ in story.after.calls}
    has_failed = any(step.is_lost for state in story.fork.runs.values() for step in state.steps)

    assert [one.step for one in story.planned] == [step.name for step in story.fork.state.steps]
    for one in story.planned:
        step = story.fork.state.step(one.step)
        match one.action:
            case "reuse":
                assert step.status == "completed", one
                assert one.step not in ran, one
            case "run":
                assert one.step in ran or step.kind == "condition" or has_failed, one
            case "skip":
                assert step.status in ("skipped", "failed"), one
                assert not step.attempts, one
            case "ask":
                assert step.kind == "wait", one
                assert not step.reused_from, one
            case action:
                assert action == "unknown", one
        if one.items_run + one.items_reused and step.status == "completed":
            items = {
                key.step.partition(".")[2]
                for key in story.fork.attempts
                if key.run_id.startswith(f"fork.{one.step}.")
            }
            assert one.items_run == len(items), one


@given(st.data())
@share(30)
def test_a_fork_of_a_fork_is_as_good_as_one(data: st.DataObject) -> None:
    story = Story(data)
    worlds = [story.origin, story.fork]
    before = story.before.succeeded | story.after.succeeded
    for number in range(2):
        edits = data.draw(wf.edits(story.created.graph))
        now, clean = wf.Sources(story.after.versions), wf.Sources(story.after.versions)
        created = fork(worlds[-1].state, edits, run_id=f"fork{number}")
        world = wf.started(now, created=created, earlier=worlds)

        expected = wf.started(clean, created=replace(created, run_id="clean", origin=UNSET))
        assert wf.outcome(world) == wf.outcome(expected)
        needed = [one for step, one in clean.calls if one not in before or step in edits.again]
        assert Counter(one for _, one in now.calls) == Counter(needed)
        worlds.append(world)
        before |= now.succeeded


def made_unsafe(step: Step, names: frozenset[str]) -> Step:
    if step.function and step.function.name in names:
        return replace(step, effects="unsafe")
    if step.body:
        inner = tuple(made_unsafe(one, names) for one in step.body.graph.steps)
        return replace(step, body=replace(step.body, graph=replace(step.body.graph, steps=inner)))
    return step


@given(st.data())
@share(50)
def test_an_unsafe_step_never_runs_twice_over_any_line_of_forks_and_retries(data: st.DataObject) -> None:
    drawn = data.draw(wf.graphs())
    names = data.draw(st.frozensets(st.sampled_from(wf.FUNCTIONS), min_size=1, max_size=2))
    graph = replace(drawn, steps=tuple(made_unsafe(step, names) for step in drawn.steps))
    worlds: list[World] = []
    for number in range(data.draw(st.integers(2, 4))):
        sources = wf.Sources(data.draw(wf.versions), data.draw(wf.broken))
        if not worlds:
            worlds.append(first_run(graph, sources, data.draw(wf.values)))
        else:
            code = wf.code(sources, graph)
            edits = data.draw(wf.edits(graph))
            if data.draw(st.integers(0, 4)) == 0:
                edits = Edits(whole=True)
            created = fork(worlds[-1].state, edits, run_id=f"fork{number}", code=code)
            worlds.append(wf.started(sources, created=created, earlier=worlds))
        if data.draw(st.booleans()):
            sources.broken = frozenset()
            try:
                worlds[-1].command(RetrySteps(values=data.draw(wf.values)))
            except Refused:
                continue
            wf.finish(worlds[-1])

    attempts = Counter(
        path_of(key.run_id, key.step)
        for world in worlds
        for key in world.attempts
        if world.runs[key.run_id].plan.step(key.step).effects == "unsafe"
    )
    assert not [path for path, count in attempts.items() if count > 1]


# -- what a plan says ------------------------------------------------------------------------------


def planned(before: Graph, after: Graph, edits: Edits) -> dict[str, tuple[str, str]]:
    """Of each step what a fork of a run of `before` with the code of `after` would do, and why."""
    sources = wf.Sources(dict.fromkeys(wf.FUNCTIONS, 0))
    origin = first_run(before, sources, {"rows": 1, "items": []})
    created = fork(origin.state, edits, run_id="x", code=wf.code(sources, after))
    return {one.step: (one.action, one.reason) for one in plan(created, index(origin.runs.values()))}


def test_what_a_condition_decides_that_is_not_known_yet_is_unknown() -> None:
    rows = wf.call("a", "f", {"x": Binding(parameter="rows")})
    large = Expression(op=">=", left=wf.ref("a"), right=Binding(value=1))
    condition = Step(name="large", kind="condition", condition=large)
    guarded = wf.call("b", "g", {}, guards=(Guard(step="large", branch=True),))

    def graph(function: str) -> Graph:
        behind = wf.call("c", function, {"x": wf.ref("b")})
        return Graph(name="example", parameters=wf.PARAMETERS, steps=(rows, condition, guarded, behind))

    found = planned(graph("h"), graph("k"), Edits(values={"rows": 2}))

    assert found["a"] == ("run", "no earlier attempt with these inputs: input x is 2 instead of 1")
    assert [found[name][0] for name in ("large", "b", "c")] == ["unknown", "unknown", "unknown"]
    assert found["c"][1] == "depends on a, which is made anew"


def test_what_cannot_be_equal_runs_though_its_inputs_are_not_known_yet() -> None:
    def graph(function: str) -> Graph:
        steps = (
            wf.call("a", "f", {"x": Binding(parameter="rows")}),
            wf.call("b", "g", {"x": wf.ref("a")}),
            wf.call("c", function, {"x": wf.ref("b")}),
        )
        return Graph(name="example", parameters=wf.PARAMETERS, steps=steps)

    found = planned(graph("h"), graph("k"), Edits(values={"rows": 2}))

    assert [found[name][0] for name in ("a", "b", "c")] == ["run", "unknown", "run"]


def test_a_map_is_planned_item_by_item() -> None:
    body = Graph(
        name="body",
        parameters=(Parameter(name="x", type="json"),),
        steps=(wf.call("a", "f", {"x": Binding(parameter="x")}),),
        outputs={"output": wf.ref("a")},
    )
    outputs = (Output(name="output", type="list"),)
    over = {"x": Binding(parameter="items")}
    step = Step(
        name="each", kind="map", inputs=over, outputs=outputs, body=Body(graph=body), map=Map(over="x")
    )
    graph = Graph(name="example", parameters=wf.PARAMETERS, steps=(step,))
    sources = wf.Sources(dict.fromkeys(wf.FUNCTIONS, 0))
    origin = first_run(graph, sources, {"rows": 1, "items": [1, 2, 3]})

    created = fork(origin.state, Edits(values={"items": [2, 9, 3, 8]}), run_id="x")
    (found,) = plan(created, index(origin.runs.values()))

    assert (found.action, found.items_reused, found.items_run) == ("run", 2, 2)


# -- large runs ------------------------------------------------------------------------------------


def of_ten_thousand(*, is_chain: bool) -> Graph:
    """A chain, whose values come round after four steps, or a fan: so a run of the first five knows all."""
    steps = [wf.call("s0", "f", {"x": Binding(parameter="rows")})]
    steps += [
        wf.call(f"s{place}", "f", {"x": wf.ref(f"s{place - 1 if is_chain else 0}")})
        for place in range(1, 10_000)
    ]
    return Graph(name="example", parameters=wf.PARAMETERS[:1], steps=tuple(steps))


@pytest.mark.parametrize("is_chain", [True, False])
def test_a_run_of_ten_thousand_steps_can_be_planned(is_chain: bool) -> None:
    sources = wf.Sources(dict.fromkeys(wf.FUNCTIONS, 1))
    graph = of_ten_thousand(is_chain=is_chain)
    small = replace(graph, steps=graph.steps[:5])
    origin = first_run(small, sources, {"rows": 1})
    code = wf.code(sources, graph)
    known = index(origin.runs.values())

    same = plan(fork(origin.state, Edits(), run_id="fork", code=code), known)
    changed = plan(fork(origin.state, Edits(values={"rows": 9}), run_id="fork", code=code), known)

    assert [one.action for one in same] == ["reuse"] * 10_000
    assert [one.action for one in changed] == ["run"] + ["unknown"] * 9_999


# -- what can be edited ----------------------------------------------------------------------------


def one_step(**changes: Any) -> World:
    graph = Graph(name="example", parameters=wf.PARAMETERS, steps=(wf.call("a", "f", {}, **changes),))
    return first_run(graph, wf.Sources(dict.fromkeys(wf.FUNCTIONS, 0)), {"rows": 1, "items": []})


def test_a_fork_has_the_values_of_its_origin_and_the_edits_over_them() -> None:
    created = fork(one_step().state, Edits(values={"rows": 2}), run_id="x")

    assert created.parameters == {"rows": 2, "items": []}
    assert created.origin
    assert (created.origin.kind, created.origin.run_id) == ("fork", "run")


def test_a_release_with_other_parameters_takes_those_that_it_knows() -> None:
    origin = one_step().state
    graph = replace(origin.created.graph, parameters=wf.PARAMETERS[:1])

    created = fork(origin, Edits(), run_id="x", code=Code(release="sha256:new", graph=graph))

    assert (created.parameters, created.release) == ({"rows": 1}, "sha256:new")


@pytest.mark.parametrize(
    ("edits", "reason"),
    [
        (Edits(again=("b",)), "UNKNOWN_STEP"),
        (Edits(again=("a/b",)), "UNKNOWN_STEP"),
        (Edits(allow=("b",)), "UNKNOWN_STEP"),
        (Edits(outputs={"b": {"output": 1}}), "UNKNOWN_STEP"),
        (Edits(outputs={"a": {"result": 1}}), "ILLEGAL_STAND_IN"),
        (Edits(values={"columns": 1}), "INVALID_PARAMETERS"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(edits: Edits, reason: str) -> None:
    with pytest.raises(FoldlineError) as refusal:
        fork(one_step().state, edits, run_id="x")

    assert refusal.value.reason == reason


def test_given_outputs_are_not_taken_for_what_the_step_would_give() -> None:
    origin = one_step()
    sources = wf.Sources(dict.fromkeys(wf.FUNCTIONS, 0))
    created = fork(origin.state, Edits(outputs={"a": {"output": 3}}), run_id="x")
    second = wf.started(sources, created=created, earlier=[origin])
    assert second.state.step("a").outputs["output"].value == 3

    bare = replace(fork(second.state, Edits(), run_id="y"), given={})
    third = wf.started(sources, created=bare, earlier=[second])

    assert [key.step for key in third.attempts] == ["a"]


def test_a_planned_step_is_the_message_of_the_contract() -> None:
    fields = scheduler_service_pb2.PlannedStep.DESCRIPTOR.fields

    assert PlannedStep.__struct_fields__ == tuple(field.name for field in fields)
