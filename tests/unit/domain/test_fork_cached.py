"""Forks that ask the declared cache as well, with handlers, parameters given late, and lists in the store."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace
from tests.unit.domain import workflows as wf
from tests.unit.domain.examples import share

from foldline.domain import caching
from foldline.domain.commands import ProvideParameters
from foldline.domain.forecast import plan
from foldline.domain.fork import fork
from foldline.domain.keys import key_of
from foldline.domain.recall import index
from foldline.domain.relations import Reuse
from foldline.domain.run_events import RunCreated
from foldline.domain.spec import Binding, Graph, Parameter, Step
from foldline.testing.world import World

LATE = Parameter(name="late", type="int", delayed=True)
HANDLER = "handler"


def kept_by(world: World) -> dict[str, Reuse]:
    """What the declared cache has after a run."""
    return {
        key_of(state, step.name): Reuse(
            run_id=state.created.run_id,
            step=step.name,
            attempt=len(step.attempts),
            outputs=step.outputs,
            metrics=step.metrics,
        )
        for state in world.runs.values()
        for step in state.steps
        if caching.offers(state, step.name)
    }


def cached(step: Step) -> Step:
    """The step, and those inside it, with declared caching where they may have it."""
    if step.body:
        inside = replace(step.body.graph, steps=tuple(map(cached, step.body.graph.steps)))
        step = replace(step, body=replace(step.body, graph=inside))
    return replace(step, cache=step.kind not in ("condition", "wait"))


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Everything is cached; a step takes what is given late, and a handler runs at the end."""
    graph = draw(wf.graphs())
    late = wf.call("late", draw(st.sampled_from(wf.FUNCTIONS)), {"x": Binding(parameter="late")})
    handler = wf.call(HANDLER, draw(st.sampled_from(wf.FUNCTIONS)), {}, handles="exit")
    steps = tuple(map(cached, (*graph.steps, late)))
    return replace(graph, steps=(*steps, handler), parameters=(*graph.parameters, LATE))


values = st.fixed_dictionaries(
    {
        "rows": st.integers(0, 3),
        "items": st.one_of(
            st.lists(st.integers(0, 3), max_size=4),
            # Long enough for what a map gives to be kept in the store instead of the event.
            st.lists(st.integers(0, 3), min_size=60, max_size=60),
        ),
    }
)


def created(graph: Graph, sources: wf.Sources, run_id: str, chosen: dict[str, Any]) -> RunCreated:
    code = wf.code(sources, graph)
    return RunCreated(
        run_id=run_id,
        workspace="w",
        workflow="example",
        release=code.release,
        region="r",
        graph=code.graph,
        parameters=chosen,
        bundle=code.bundle,
        environment=code.environment,
    )


def played(sources: wf.Sources, late: int, **options: Any) -> World:
    world = wf.started(sources, **options)
    if world.state.step("late").status == "asking":
        world.command(ProvideParameters({"late": late}))
        wf.finish(world)
    return world


@given(st.data())
@share(60)
def test_a_fork_with_a_cache_is_as_good_as_a_clean_run_and_makes_nothing_that_is_known(
    data: st.DataObject,
) -> None:
    graph = data.draw(graphs())
    before, other = wf.Sources(data.draw(wf.versions)), wf.Sources(data.draw(wf.versions))
    late = data.draw(st.integers(0, 3))
    origin = played(before, late, created=created(graph, before, "run", data.draw(values)))
    # What ran before anywhere else, without a relation to the fork.
    another = played(other, late, created=created(graph, other, "other", data.draw(values)))
    kept = kept_by(another)
    after, clean_after = wf.Sources(data.draw(wf.versions)), wf.Sources({})
    clean_after.versions = dict(after.versions)
    edits = data.draw(wf.edits(replace(graph, steps=graph.steps[:-1])))  # a handler is not replaced
    first = fork(origin.state, edits, run_id="fork", code=wf.code(after, graph))

    forked = played(after, late, created=first, earlier=[origin], kept=kept, stored=another.contents)
    clean = played(clean_after, late, created=replace(first, run_id="clean", origin=UNSET, cache="off"))

    assert wf.outcome(forked) == wf.outcome(clean)
    known = before.succeeded | other.succeeded
    needed = [one for step, one in clean_after.calls if one not in known or step in (*edits.again, HANDLER)]
    assert Counter(one for _, one in after.calls) == Counter(needed)

    planned = plan(first, index(origin.runs.values()), forked.items, kept.get)
    ran = {step for step, _ in after.calls}
    has_failed = any(step.is_lost for state in forked.runs.values() for step in state.steps)
    for one in planned:
        step = forked.state.step(one.step)
        if one.action == "reuse":
            assert step.status == "completed", one
            assert one.step not in ran, one
        elif one.action == "run":
            assert one.step in ran or step.kind == "condition" or has_failed, one
        elif one.action == "skip":
            assert not step.attempts, one
