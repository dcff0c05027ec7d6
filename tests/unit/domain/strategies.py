"""Generated workflows: every form of control flow, nested up to three levels deep."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import strategies as st
from msgspec.structs import replace

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
    Resources,
    Retry,
    Scene,
    Step,
    Timeouts,
    Wait,
)

DEEPEST = 3

NOWHERE, DEAF = "nowhere", "deaf"
"""Pools: one that nobody serves, and one whose executors take work and never start it."""

WAIT_OUTPUTS = {
    "approve": (Output(name="approved", type="bool"), Output(name="by", type="str")),
    "choose": (Output(name="choice", type="str"),),
    "values": (Output(name="rows", type="int"),),
    "event": (Output(name="data", type="json"),),
}


class Source(NamedTuple):
    """Something that a step may take, and what sort of value it is."""

    binding: Binding
    sort: str


class Wishes(NamedTuple):
    """What may be in a graph."""

    depth: int = DEEPEST
    has_waits: bool = True
    has_delayed: bool = True
    has_handlers: bool = True
    has_held: bool = True
    has_tolerance: bool = True
    has_unsafe: bool = True
    has_timeouts: bool = True
    may_hang: bool = False
    """May a function wait for ever? Something around it then runs out of time."""
    on_failure: str | None = None
    """None: either."""

    @property
    def inside(self) -> Wishes:
        return self._replace(depth=self.depth - 1, may_hang=False)


EVERYTHING = Wishes()

NUMBERS = st.integers(0, 4)


@st.composite
def graphs(draw: st.DrawFn, wishes: Wishes = EVERYTHING) -> Graph:
    """A whole workflow."""
    return draw(_graphs(wishes, "top", (), is_workflow=True))


@st.composite
def _graphs(
    draw: st.DrawFn, wishes: Wishes, path: str, given: tuple[Parameter, ...], *, is_workflow: bool
) -> Graph:
    parameters = (*given, *draw(_parameters(wishes, is_workflow=is_workflow)))
    steps: list[Step] = []
    most = 7 if wishes.depth == DEEPEST else 3
    for place in range(draw(st.integers(1, most))):
        steps.append(draw(_steps(wishes, f"{path}-s{place}", f"s{place}", steps, parameters)))
    results = _sources(steps, ())
    outputs = {"output": draw(st.sampled_from(results)).binding} if results else {}
    if draw(st.booleans()) and results:
        outputs["other"] = draw(st.sampled_from(results)).binding
    handlers: list[Step] = []
    if is_workflow and wishes.has_handlers and draw(st.integers(0, 3)) == 0:
        for place in range(draw(st.integers(1, 2))):
            handlers.append(draw(_handlers(f"{path}-h{place}", f"h{place}", steps, handlers)))
    if wishes.on_failure is None:
        on_failure = draw(st.sampled_from(["", "stop", "continue", "continue"]))
    else:
        on_failure = wishes.on_failure
    return Graph(
        name=path,
        parameters=parameters,
        steps=tuple(draw(st.permutations([*steps, *handlers]))),
        outputs=outputs,
        on_failure=on_failure,
    )


@st.composite
def _parameters(draw: st.DrawFn, wishes: Wishes, *, is_workflow: bool) -> tuple[Parameter, ...]:
    found = [Parameter(name="level", type="int", default=draw(NUMBERS))]
    if is_workflow and wishes.has_delayed and draw(st.integers(0, 3)) == 0:
        names = draw(st.sampled_from([("late",), ("late", "later"), ("late", "later")]))
        found += [Parameter(name=name, type="int", delayed=True) for name in names]
    return tuple(found)


def _sources(steps: list[Step], parameters: tuple[Parameter, ...]) -> list[Source]:
    found = [Source(Binding(parameter=one.name), "number") for one in parameters]
    for step in steps:
        sort = step.function.name if step.kind == "function" and step.function else "any"
        for output in step.outputs:
            reference = OutputRef(step=step.name, name=output.name)
            found.append(Source(Binding(output=reference), "list" if step.kind == "map" else sort))
            if sort == "table":
                for path in (("k",), ("l", "1")):
                    inner = Binding(output=replace(reference, path=path))
                    found.append(Source(inner, "number"))
    return found


@st.composite
def _steps(
    draw: st.DrawFn,
    wishes: Wishes,
    path: str,
    name: str,
    steps: list[Step],
    parameters: tuple[Parameter, ...],
) -> Step:
    kinds = ["function"] * 6 + ["condition"] * 3
    if wishes.has_waits:
        kinds.append("wait")
    if wishes.depth > 1:
        kinds += ["map", "repeat", "workflow"]
    sources = _sources(steps, parameters)
    match draw(st.sampled_from(kinds)):
        case "function":
            step = draw(_functions(wishes, path, name, steps, sources))
        case "condition":
            step = Step(name=name, kind="condition", condition=draw(_expressions(sources, steps)))
        case "wait":
            step = draw(_waits(wishes, path, name))
        case kind:
            step = draw(_composites(wishes, path, name, kind, sources))
    step = replace(step, guards=draw(_guards(steps)), after=draw(_after(steps)))
    if step.kind != "condition" and draw(st.integers(0, 7)) == 0:
        step = replace(step, skip_when=draw(_expressions(sources, steps)))
    return step


@st.composite
def _functions(
    draw: st.DrawFn, wishes: Wishes, path: str, name: str, steps: list[Step], sources: list[Source]
) -> Step:
    inputs = {key: draw(_values(sources)) for key in draw(st.sampled_from([(), ("a",), ("a",), ("a", "b")]))}
    merges = _mergeable(steps)
    if draw(st.booleans()) and merges:
        inputs["merged"] = Binding(merge=Merge(outputs=draw(st.sampled_from(merges))))
    function = Function(module=path, name=draw(st.sampled_from(["number", "number", "list", "table"])))
    is_unsafe = draw(st.integers(0, 6)) == 0 and wishes.has_unsafe
    retry = draw(_retries(wishes))
    timeouts, pool = draw(_waiting(wishes))
    return Step(
        name=name,
        kind="function",
        function=function,
        inputs=inputs,
        outputs=(Output(name="output", type="any"),),
        retry=replace(retry, max_attempts=min(retry.max_attempts, 1)) if is_unsafe else retry,
        effects="unsafe" if is_unsafe else draw(st.sampled_from(["", "", "pure", "idempotent"])),
        timeouts=timeouts,
        resources=Resources(pool=pool),
    )


@st.composite
def _waiting(draw: st.DrawFn, wishes: Wishes) -> tuple[Timeouts, str]:
    """How long a function may take, and whether anybody is going to start it."""
    if not wishes.has_timeouts or draw(st.integers(0, 4)):
        hangs = wishes.may_hang and draw(st.integers(0, 3)) == 0
        return Timeouts(), draw(st.sampled_from([NOWHERE, DEAF])) if hangs else ""
    kinds: list[dict[str, Any]] = [
        {"queue_seconds": 100},
        {"total_seconds": 1000},
        {"queue_seconds": 100, "total_seconds": 1000},
        {"silence_seconds": 5},
    ]
    times = draw(st.sampled_from(kinds))
    pool = "" if "silence_seconds" in times else draw(st.sampled_from(["", NOWHERE, DEAF]))
    return Timeouts(**times), pool


def _mergeable(steps: list[Step]) -> list[tuple[OutputRef, ...]]:
    """Outputs of steps on both branches of a condition; now and then of any two."""
    found: list[tuple[OutputRef, ...]] = []
    giving = [step for step in steps if step.kind == "function"]
    for one in giving:
        for other in giving:
            both = {(guard.step, not guard.branch) for guard in one.guards}
            if one.name < other.name and both & {(guard.step, guard.branch) for guard in other.guards}:
                pair = tuple(OutputRef(step=step.name, name="output") for step in (one, other))
                found.append(pair)
    if not found and len(giving) > 3:
        found.append(tuple(OutputRef(step=step.name, name="output") for step in giving[:2]))
    return found


@st.composite
def _retries(draw: st.DrawFn, wishes: Wishes) -> Retry:
    held = draw(st.integers(0, 7)) == 0 and wishes.has_held
    return Retry(
        max_attempts=draw(st.integers(0, 3)),
        never_after=draw(st.sampled_from([(), (), ("OSError",)])),
        on_exhausted="pause" if held else "",
    )


@st.composite
def _values(draw: st.DrawFn, sources: list[Source], sort: str = "") -> Binding:
    fitting = [one.binding for one in sources if sort in ("", one.sort)]
    constants = [Binding(value=[1, 2, 3]), Binding(value=[])] if sort == "list" else [Binding(value=2)]
    return draw(st.sampled_from([*fitting, *fitting, *constants]))


@st.composite
def _expressions(draw: st.DrawFn, sources: list[Source], steps: list[Step], depth: int = 2) -> Expression:
    if depth and draw(st.integers(0, 3)) == 0:
        op: Any = draw(st.sampled_from(["and", "or", "not"]))
        count = 1 if op == "not" else draw(st.integers(1, 2))
        terms = [draw(_expressions(sources, steps, depth - 1)) for _ in range(count)]
        return Expression(op=op, terms=tuple(terms))
    measured = [step for step in steps if step.kind == "function"]
    if measured and draw(st.integers(0, 4)) == 0:
        metric = MetricRef(step=draw(st.sampled_from(measured)).name, name="score")
        return Expression(op=">=", left=Binding(metric=metric), right=Binding(value=0.5))
    op = draw(st.sampled_from(["==", "!=", ">", ">=", "<", "<=", "in"]))
    right = [draw(NUMBERS), draw(NUMBERS)] if op == "in" else draw(NUMBERS)
    return Expression(op=op, left=draw(_values(sources, "number")), right=Binding(value=right))


@st.composite
def _guards(draw: st.DrawFn, steps: list[Step]) -> tuple[Guard, ...]:
    conditions = [step.name for step in steps if step.kind == "condition"]
    if not conditions or draw(st.integers(0, 2)) == 0:
        return ()
    return (Guard(step=draw(st.sampled_from(conditions)), branch=draw(st.booleans())),)


@st.composite
def _after(draw: st.DrawFn, steps: list[Step]) -> tuple[str, ...]:
    if not steps or draw(st.integers(0, 3)):
        return ()
    return (draw(st.sampled_from([step.name for step in steps])),)


@st.composite
def _waits(draw: st.DrawFn, wishes: Wishes, path: str, name: str) -> Step:
    kind = draw(st.sampled_from(["approve", "approve", "values", "choose", "event"]))
    actions = ["fail", "skip", ""]
    actions += {"approve": ["approve", "reject"], "event": []}.get(kind, ["default"])
    wait = Wait(
        kind=kind,
        prompt=path,
        fields=(Parameter(name="rows", type="int", default=3),) if kind == "values" else (),
        choices=("left", "right") if kind == "choose" else (),
        deadline_seconds=draw(st.sampled_from([0, 60])),
        at_deadline=draw(st.sampled_from(actions)),
        at_rejection=draw(st.sampled_from(["", "fail", "continue"])),
        event=path if kind == "event" else "",
    )
    timeouts = Timeouts(total_seconds=draw(st.sampled_from([0, 0, 0, 30])) if wishes.has_timeouts else 0)
    return Step(name=name, kind="wait", wait=wait, outputs=WAIT_OUTPUTS[kind], timeouts=timeouts)


@st.composite
def _composites(
    draw: st.DrawFn, wishes: Wishes, path: str, name: str, kind: Any, sources: list[Source]
) -> Step:
    taken = Parameter(name="x", type="json")
    has_total = draw(st.integers(0, 4)) == 0 and wishes.has_timeouts
    within = wishes.inside._replace(may_hang=has_total)
    body = draw(_graphs(within, path, (taken,), is_workflow=kind == "workflow"))
    inputs = {"x": draw(_values(sources, "list" if kind == "map" else ""))}
    is_flat = not any(step.body for step in body.steps)  # otherwise there are hundreds of runs
    if kind == "map" and wishes.depth == DEEPEST and is_flat and draw(st.integers(0, 24)) == 0:
        inputs["x"] = Binding(value=[number % 5 for number in range(130)])  # more than one child takes
    if draw(st.integers(0, 3)) == 0:
        inputs["level"] = draw(_values(sources, "number"))
    step = Step(
        name=name,
        kind=kind,
        inputs=inputs,
        outputs=tuple(
            Output(name=output, type="list" if kind == "map" else "any") for output in body.outputs
        ),
        body=Body(graph=body),
        retry=Retry(max_attempts=draw(st.sampled_from([0, 0, 0, 2]))),
        timeouts=Timeouts(total_seconds=1000.0**wishes.depth if has_total else 0),  # longer than all inside
    )
    if kind == "map":
        tolerated = draw(st.integers(0, 2)) if wishes.has_tolerance and not has_total else 0
        parallelism = draw(st.integers(0, 2))
        return replace(step, map=Map(over="x", tolerated=tolerated, parallelism=parallelism))
    if kind == "repeat":
        return replace(step, repeat=draw(_repeats(body)))
    return step


@st.composite
def _repeats(draw: st.DrawFn, body: Graph) -> Repeat:
    given = Binding(output=OutputRef(step="", name="output"))
    left = given if body.outputs else Binding(value=draw(NUMBERS))
    until = Expression(
        op=draw(st.sampled_from(["==", "!=", ">="])), left=left, right=Binding(value=draw(NUMBERS))
    )
    return Repeat(
        until=until,
        max_iterations=draw(st.integers(1, 4)),
        carry={"x": "output"} if draw(st.booleans()) and body.outputs else {},
        at_maximum=draw(st.sampled_from(["", "fail", "complete", "complete"])),
    )


@st.composite
def _handlers(draw: st.DrawFn, path: str, name: str, steps: list[Step], handlers: list[Step]) -> Step:
    inputs: dict[str, Binding] = {"how": Binding(fact="status")}
    sources = [one for one in _sources([*steps, *handlers], ()) if one.sort != "any"]
    if draw(st.booleans()) and sources:
        inputs["a"] = draw(st.sampled_from(sources)).binding
    return Step(
        name=name,
        kind="function",
        function=Function(module=path, name="number"),
        inputs=inputs,
        outputs=(Output(name="output", type="any"),),
        handles=draw(st.sampled_from(["failure", "exit"])),
        retry=Retry(max_attempts=draw(st.integers(0, 2))),
        after=draw(_after(handlers)),
    )


# -- partial runs ----------------------------------------------------------------------------------


class Choice(NamedTuple):
    """Which steps of a workflow somebody wants."""

    only: tuple[str, ...] = ()
    from_: tuple[str, ...] = ()
    until: tuple[str, ...] = ()
    scene: str = ""


@st.composite
def partial_runs(draw: st.DrawFn) -> tuple[Graph, Choice]:
    """A workflow, and some of its steps; as a scene that it names now and then."""
    declared = draw(graphs())
    names = [step.name for step in declared.steps]
    some = st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True).map(tuple)
    if draw(st.integers(0, 4)) == 0:
        steps = draw(some)
        return replace(declared, scenes=(Scene(name="some", steps=steps),)), Choice(scene="some")
    fields = draw(st.sampled_from([("only",), ("from_",), ("until",), ("from_", "until"), ("only", "from_")]))
    chosen: dict[str, Any] = {field: draw(some) for field in fields}
    return declared, Choice(**chosen)
