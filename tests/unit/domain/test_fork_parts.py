"""Forks of partial runs with unsafe steps: once a person has let run what is held, as good as clean runs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace
from tests.unit.domain import workflows as wf
from tests.unit.domain.examples import share
from tests.unit.domain.test_fork import first_run, made_unsafe

from foldline.domain import run_events as ev
from foldline.domain.commands import RetrySteps
from foldline.domain.errors import FoldlineError
from foldline.domain.fork import fork
from foldline.domain.paths import path_of
from foldline.domain.relations import Reuse
from foldline.domain.run_events import RunCreated
from foldline.domain.selection import require, select
from foldline.domain.spec import Graph
from foldline.testing.world import World


@st.composite
def parts(draw: st.DrawFn, whole: World) -> RunCreated:
    """A run of all or some steps of the same workflow, with what the whole run gives for the others."""
    created = replace(whole.state.created, run_id="part")
    names = st.lists(st.sampled_from([step.name for step in created.graph.steps]), max_size=3, unique=True)
    how = draw(st.sampled_from(["", "only", "from_", "until"]))
    chosen: dict[str, Any] = {how: draw(names)} if how else {}
    selection = select(created.graph, **chosen)
    taken = {
        step.name: Reuse(
            run_id="run",
            step=step.name,
            attempt=len(step.attempts),
            outputs=step.outputs,
            metrics=step.metrics,
        )
        for step in whole.state.steps
        if selection and step.name not in selection and step.status == "completed" and step.outputs
    }
    try:
        require(created.graph, selection, taken)
    except FoldlineError:
        return created  # nobody can start it so
    return replace(created, selection=selection, given=taken)


def let_run(world: World) -> None:
    """A person names every step that is held, as often as one is."""
    wf.finish(world)
    for _ in range(1000):
        held = [
            (one, step.name) for one, run in world.runs.items() for step in run.steps if step.status == "held"
        ]
        if not held:
            return
        run_id, name = held[0]
        world.command(RetrySteps((name,)), run_id)
        wf.finish(world)
    raise AssertionError("it is held again and again")


def begun(world: World) -> Counter[str]:
    """Attempts of unsafe steps by path."""
    keys = [key for key in world.attempts if _is_unsafe(world, key.run_id, key.step)]
    return Counter(path_of(key.run_id, key.step) for key in keys)


def _is_unsafe(world: World, run_id: str, step: str) -> bool:
    return world.runs[run_id].plan.step(step).effects == "unsafe"


def named(world: World) -> set[str]:
    """Paths of the steps that a person has let run."""
    return {
        path_of(run_id, event.step)
        for run_id, history in world.histories.items()
        for event, _ in history
        if isinstance(event, ev.StepRetried)
    }


def unsafe_graph(data: st.DataObject) -> Graph:
    drawn = data.draw(wf.graphs())
    names = data.draw(st.frozensets(st.sampled_from(wf.FUNCTIONS), max_size=2))
    return replace(drawn, steps=tuple(made_unsafe(step, names) for step in drawn.steps))


@given(st.data())
@share(60)
def test_a_fork_of_a_part_with_unsafe_steps_is_as_good_as_a_clean_one_and_no_more_than_is_needed(
    data: st.DataObject,
) -> None:
    graph = unsafe_graph(data)
    versions = data.draw(wf.versions)
    whole = first_run(graph, wf.Sources(versions), data.draw(wf.values))
    before = wf.Sources(versions, data.draw(wf.broken))
    origin = wf.started(before, created=data.draw(parts(whole)), earlier=[whole])
    changed = data.draw(st.one_of(st.just(versions), wf.versions))
    after, clean_after = wf.Sources(changed), wf.Sources(changed)
    unsafe = [step.name for step in graph.steps if step.effects == "unsafe"]
    allow = tuple(data.draw(st.lists(st.sampled_from(unsafe), max_size=2, unique=True))) if unsafe else ()
    edits = replace(data.draw(wf.edits(graph)), allow=allow)
    created = fork(origin.state, edits, run_id="fork", code=wf.code(after, graph))

    forked = wf.started(after, created=created, earlier=[origin])
    let_run(forked)
    clean = wf.started(clean_after, created=replace(created, run_id="clean", origin=UNSET), earlier=[origin])

    assert wf.outcome(forked) == wf.outcome(clean)
    # A map that fails leaves items out: which ones hangs on what was held meanwhile.
    left_out = {step.name for step in forked.state.steps if step.children is not None and step.is_lost}
    known = {step: before.succeeded if step not in edits.again else set() for step in forked.state.plan.index}
    needed = [one for step, one in clean_after.calls if step not in left_out and one not in known[step]]
    assert Counter(one for step, one in after.calls if step not in left_out) == Counter(needed)
    ran_before = begun(origin)
    again = {path for path in begun(forked) if path in ran_before and path.split("/")[0] not in allow}
    assert again <= named(forked)
