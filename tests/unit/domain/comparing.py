"""Holds what a play came to against what the reference says it means."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET
from tests.unit.domain.playing import Play
from tests.unit.domain.reference import RunMeans, StepMeans, handle

from foldline.domain import inner
from foldline.domain.run import RunState, StepState


def compare(play: Play, expected: RunMeans) -> None:
    """The whole run is as the reference says, the runs inside it too."""
    _run(play, play.state, expected)


def _run(play: Play, state: RunState, expected: RunMeans) -> None:
    where = f"run {state.created.run_id}"
    assert state.status == expected.status, where
    if state.status == "completed":
        actual = {name: play.world.value(one) for name, one in state.outputs.items()}
        assert actual == expected.outputs, where
    declared = {step.name: step for step in state.plan.graph.steps}
    steps = dict(expected.steps)
    if expected.is_cut and any(step.handles for step in declared.values()):
        main = {name: _found(play, one) for name, one in _steps(state) if not declared[name].handles}
        selection = state.created.selection
        steps |= handle(state.plan.graph, play.laws, state.parameters, state.status, main, selection)
    for name, one in _steps(state):
        is_cut = expected.is_cut and not declared[name].handles
        if name not in steps:
            assert one.status == "stopped", (where, name)  # a handler that was not wanted
            continue
        _step(play, state, one, steps[name], is_cut=is_cut)


def _steps(state: RunState) -> list[tuple[str, StepState]]:
    return [(one.name, one) for one in state.steps]


def _step(play: Play, state: RunState, one: StepState, expected: StepMeans, *, is_cut: bool) -> None:
    where = f"step {one.name} of run {state.created.run_id}"
    declared = state.plan.step(one.name)
    if is_cut and one.status == "stopped":
        return
    if is_cut and one.status == "failed" and declared.retry.on_exhausted == "pause":
        return  # nobody is asked any more
    found = _found(play, one)
    assert found.status == expected.status, where
    assert found.outputs == expected.outputs, where
    assert found.answer == expected.answer, where
    if found.status == "skipped":
        assert one.skipped_for == expected.why, where
    if one.status == "failed" and declared.timeouts.total_seconds:
        return  # how far it came inside by then depends on luck
    if one.attempts and one.children is not None and one.status != "stopped":
        _inside(play, state, one, expected)


def _found(play: Play, one: StepState) -> StepMeans:
    outputs = {name: play.world.value(given) for name, given in one.outputs.items()}
    return StepMeans(one.status, outputs, one.metrics.get("score"), one.answer)


def _inside(play: Play, state: RunState, one: StepState, expected: StepMeans) -> None:
    """The runs inside the newest attempt."""
    assert one.children is not None
    attempt = len(one.attempts)
    for index in range(one.children.started):
        child = play.world.runs[inner.child_id(state.created.run_id, one.name, attempt, index)]
        if state.plan.step(one.name).map is UNSET:
            if child.status == "stopped" and expected.status == "failed":
                continue
            _run(play, child, expected.runs[index])
        else:
            _items(play, child, expected)


def _items(play: Play, child: RunState, expected: StepMeans) -> None:
    parent = child.created.parent
    assert parent is not UNSET
    for place in range(len(child.created.items)):
        means = expected.runs[parent.first + place]
        for name, step in means.steps.items():
            one = child.step(f"{name}.{parent.first + place}")
            _step(play, child, one, step, is_cut=expected.status == "failed")
    if child.status == "completed":
        for name, given in child.outputs.items():
            values = play.world.value(given)
            assert values == [
                run.outputs.get(name) for run in expected.runs[parent.first : parent.first + len(values)]
            ], child.created.run_id


def once(play: Play) -> None:
    """Nothing that succeeded was called again."""
    twice: dict[Any, int] = {call: count for call, count in play.calls.items() if count > 1}
    assert not twice
