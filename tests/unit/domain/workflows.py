"""Generated workflows whose functions have versions, and random edits of their runs: for tests of forks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from foldline.domain.commands import Answer, AnswerWait
from foldline.domain.fork import Code, Edits
from foldline.domain.paths import around
from foldline.domain.spec import (
    Binding,
    Body,
    Expression,
    Function,
    Graph,
    Guard,
    Map,
    Merge,
    Output,
    OutputRef,
    Parameter,
    Repeat,
    Step,
    Wait,
)
from foldline.domain.work import Work
from foldline.testing.world import StepRaises, World

FUNCTIONS = ("f", "g", "h", "k")
PARAMETERS = (Parameter(name="rows", type="int"), Parameter(name="items", type="json"))


class Sources:
    """What the functions do: each has a version, and adds up what it is given."""

    def __init__(self, versions: Mapping[str, int], broken: frozenset[str] = frozenset()) -> None:
        self.versions = dict(versions)
        self.broken = broken  # they fail for a while, whatever their code
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        """Of each attempt the step of the started run that it is of, and what makes it equal to others."""
        self.succeeded: set[tuple[Any, ...]] = set()

    def play(self, world: World, work: Work) -> Mapping[str, Any]:
        name = work.function.name
        values = {one: world.value(given) for one, given in work.inputs.items()}
        kinds = {
            one: given.artifact.encoding
            for one, given in work.inputs.items()
            if given.artifact and given.artifact.encoding != "json"
        }
        signature = (name, self.versions[name], json.dumps(values, sort_keys=True), json.dumps(kinds))
        levels = around(work.key.run_id)
        self.calls.append((levels[0][1] if levels else work.key.step, signature))
        total = sum(map(_number, values.values())) + self.versions[name] * len(name) + FUNCTIONS.index(name)
        if name in self.broken or total % 7 == 6:
            raise StepRaises
        self.succeeded.add(signature)
        return {"output": total % 4}

    def encoded(self, graph: Graph) -> Graph:
        """The graph with the digests of the code that its functions have now."""
        return replace(graph, steps=tuple(map(self._encoded, graph.steps)))

    def _encoded(self, step: Step) -> Step:
        if step.function:
            name = step.function.name
            return replace(step, code=f"sha256:{name}{self.versions[name]}")
        if step.body:
            return replace(step, body=replace(step.body, graph=self.encoded(step.body.graph)))
        return step


def _number(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_number, value)) + len(value)
    return int(value or 0)


def code(sources: Sources, graph: Graph) -> Code:
    return Code(release="sha256:r", graph=sources.encoded(graph), bundle="sha256:b", environment="sha256:e")


def started(sources: Sources, **options: Any) -> World:
    """The world of a run that has been played to its end, all questions answered."""
    world = World.__new__(World)

    def behave(work: Work) -> Mapping[str, Any]:
        return sources.play(world, work)

    created = options.pop("created")
    fields = {name: getattr(created, name) for name in created.__struct_fields__ if name != "graph"}
    world.__init__(created.graph, behave=behave, **fields, **options)  # type: ignore[misc]  # needs itself
    finish(world)
    return world


def finish(world: World) -> None:
    world.run()
    while asked := [
        (run_id, step.name)
        for run_id, state in world.runs.items()
        for step in state.steps
        if step.status == "awaiting"
    ]:
        for run_id, name in asked:
            world.command(AnswerWait(name, Answer(approved=name[-1] in "02468"), by="ada"), run_id)
        world.run()


# -- graphs ----------------------------------------------------------------------------------------


def ref(step: str, name: str = "output") -> Binding:
    return Binding(output=OutputRef(step=step, name=name))


def call(name: str, function: str, inputs: Mapping[str, Binding], **changes: Any) -> Step:
    return Step(
        name=name,
        kind="function",
        function=Function(module="m", name=function),
        inputs=dict(inputs),
        outputs=(Output(name="output"),),
        **changes,
    )


@st.composite
def bodies(draw: st.DrawFn) -> Graph:
    """One or two functions of a value, the second of what the first gives."""
    x = Binding(parameter="x")
    steps = [call("a", draw(st.sampled_from(FUNCTIONS)), {"x": x})]
    if draw(st.booleans()):
        steps.append(call("b", draw(st.sampled_from(FUNCTIONS)), {"x": ref("a")}))
    return Graph(
        name="body",
        parameters=(Parameter(name="x", type="json"),),
        steps=tuple(steps),
        outputs={"output": ref(steps[-1].name)},
        on_failure="continue",
    )


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    steps: list[Step] = []
    for place in range(draw(st.integers(1, 7))):
        steps.append(draw(_steps(f"s{place}", steps)))
    return Graph(name="example", parameters=PARAMETERS, steps=tuple(steps), on_failure="continue")


@st.composite
def _steps(draw: st.DrawFn, name: str, before: list[Step]) -> Step:
    kinds = ["function", "function", "function", "map", "repeat", "workflow", "wait"]
    giving = [step.name for step in before if step.outputs and step.kind not in ("map", "wait")]
    if giving:
        kinds += ["condition", "merge"]
    kind = draw(st.sampled_from(kinds))
    value = draw(_values(giving))
    match kind:
        case "condition":
            left = ref(draw(st.sampled_from(giving)))
            expression = Expression(op=">=", left=left, right=Binding(value=draw(st.integers(0, 3))))
            step = Step(name=name, kind="condition", condition=expression)
        case "wait":
            after = (
                tuple(draw(st.lists(st.sampled_from([one.name for one in before]), max_size=1)))
                if before
                else ()
            )
            wait = Wait(kind="approve", at_rejection="continue")
            step = Step(name=name, kind="wait", wait=wait, after=after, outputs=(Output(name="approved"),))
        case "merge":
            some = draw(st.lists(st.sampled_from(giving), min_size=1, max_size=2, unique=True))
            merge = Merge(outputs=tuple(OutputRef(step=one, name="output") for one in some))
            step = call(name, draw(st.sampled_from(FUNCTIONS)), {"x": Binding(merge=merge)})
        case "map" | "repeat" | "workflow":
            step = draw(_composites(name, kind, value))
        case _:
            inputs = {"x": value}
            maps = [one.name for one in before if one.kind == "map"]
            if bool(maps) and draw(st.booleans()):
                inputs["list"] = ref(draw(st.sampled_from(maps)))
            step = call(name, draw(st.sampled_from(FUNCTIONS)), inputs)
    conditions = [one.name for one in before if one.kind == "condition"]
    if bool(conditions) and draw(st.booleans()):
        guard = Guard(step=draw(st.sampled_from(conditions)), branch=draw(st.booleans()))
        step = replace(step, guards=(guard,))
    return step


def _values(giving: list[str]) -> st.SearchStrategy[Binding]:
    found = [Binding(parameter="rows"), Binding(value=1), *map(ref, giving)]
    return st.sampled_from(found)


@st.composite
def _composites(draw: st.DrawFn, name: str, kind: Any, value: Binding) -> Step:
    step = Step(
        name=name,
        kind=kind,
        inputs={"x": value},
        outputs=(Output(name="output", type="list" if kind == "map" else "any"),),
        body=Body(graph=draw(bodies())),
    )
    if kind == "map":
        over = draw(st.sampled_from([Binding(parameter="items"), Binding(value=[1, 2])]))
        return replace(step, inputs={"x": over}, map=Map(over="x", tolerated=draw(st.sampled_from([0, 9]))))
    if kind == "repeat":
        until = Expression(op=">=", left=ref("", "output"), right=Binding(value=draw(st.integers(1, 3))))
        repeat = Repeat(until=until, max_iterations=3, carry={"x": "output"}, at_maximum="complete")
        return replace(step, repeat=repeat)
    return step


# -- edits -----------------------------------------------------------------------------------------

versions = st.fixed_dictionaries({name: st.integers(0, 1) for name in FUNCTIONS})
broken = st.frozensets(st.sampled_from(FUNCTIONS), max_size=1)
values = st.fixed_dictionaries({"rows": st.integers(0, 3), "items": st.lists(st.integers(0, 3), max_size=4)})


@st.composite
def edits(draw: st.DrawFn, graph: Graph) -> Edits:
    """Sometimes values, sometimes steps that run in any case, sometimes outputs of a step."""
    names = [step.name for step in graph.steps if step.kind != "condition"]
    changed: dict[str, Any] = {}
    if draw(st.booleans()):
        changed["values"] = draw(values)
    if names and draw(st.integers(0, 3)) == 0:
        changed["again"] = tuple(draw(st.lists(st.sampled_from(names), max_size=2, unique=True)))
    functions = [step.name for step in graph.steps if step.kind == "function"]
    if functions and draw(st.integers(0, 3)) == 0:
        changed["outputs"] = {draw(st.sampled_from(functions)): {"output": draw(st.integers(0, 3))}}
    return Edits(**changed)


def outcome(world: World) -> tuple[str, dict[str, Any]]:
    """How the run and its steps ended, and what they gave."""
    steps = {
        step.name: (
            step.status,
            {name: world.value(one) for name, one in step.outputs.items()},
        )
        for step in world.state.steps
    }
    return world.state.status, steps
