"""Runs inside a step: the children of map, repeat and workflow steps.

A child is a run of its own: its stream, its record, the same rules. Its parent holds counters and what
the child gave, never its steps. Children are opened a few at a time; each is decided on in the parent
(ChildStarted), then created by whoever owns the run (`created`), and its end is told to the parent
(`ended`). Both tellings may be repeated: a child's id follows from its parent's (`child_id`), and an end
is taken in once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from foldline.domain import conditions, lists
from foldline.domain import run_events as ev
from foldline.domain.artifacts import Artifact, Item
from foldline.domain.dag import renumbered
from foldline.domain.decision import Decision
from foldline.domain.errors import FoldlineError
from foldline.domain.failures import Failure
from foldline.domain.paths import attempts_of, inside
from foldline.domain.relations import Origin, Parent
from foldline.domain.run import Children, RunState, StepState, as_begun
from foldline.domain.spec import Binding, Json, OutputRef, Step
from foldline.domain.values import Unresolvable, artifact_of, input_of, output_of, value_of

OPEN_CHILDREN = 16
"""So many children of a map are open at once at most, however many there are."""

DEEPEST = 8
"""Levels of runs inside runs."""


def child_id(run_id: str, step: str, attempt: int, index: int) -> str:
    """The id of a child run: always the same one, which makes it safe to create it twice."""
    return f"{run_id}.{step}.{attempt}.{index}"


def root_id(run_id: str) -> str:
    """The run that somebody started, of which this one is a part; itself for such a run."""
    return run_id.partition(".")[0]


def expand(decision: Decision, name: str, sizes: tuple[int, ...] | None = None) -> None:
    """Begin an attempt of a step with a body. A map whose list has still to be fetched waits for `sizes`."""
    state, declared = decision.state, decision.declared(name)
    if len(attempts_of(state.created.run_id)) >= DEEPEST:
        _fail_at_once(decision, name, "NESTED_TOO_DEEP", f"runs inside runs go {DEEPEST} levels deep at most")
        return
    if declared.map is not UNSET and sizes is None:
        items = inline_items(state, declared)
        if items is None:
            return
        sizes = lists.sizes(items)
    attempt = len(decision.step(name).attempts) + 1
    decision.add(ev.StepExpanded(step=name, attempt=attempt, sizes=sizes or ()))
    open_more(decision, name)


def _fail_at_once(decision: Decision, name: str, reason: str, message: str) -> None:
    failure = Failure(kind="invalid", reason=reason, message=message)
    decision.add(ev.StepFailed(step=name, failure=failure))


def inline_items(state: RunState, declared: Step) -> Sequence[Item] | None:
    """The items of a map step where its list travels in the events; None where it is in the store."""
    assert declared.map is not UNSET
    if state.step(declared.name).is_active:
        state = as_begun(state, declared.name)
    binding = declared.inputs[declared.map.over]
    artifact = artifact_of(state, binding)
    try:
        if artifact is None:
            return lists.items(value_of(state, binding))
        return lists.inline_items(artifact)
    except FoldlineError as error:
        if isinstance(error, Unresolvable):
            raise
        raise Unresolvable(error.reason, error.message) from error


def open_more(decision: Decision, name: str) -> None:
    """Start the children that may be open now; complete a step that has none."""
    step, declared = decision.step(name), decision.declared(name)
    children = step.children
    assert children is not None
    if declared.map is not UNSET and not children.sizes:
        _succeed(decision, name, _map_outputs(decision.state, name))
        return
    while decision.state.takes_work and _has_room(decision.step(name), declared):
        step = decision.step(name)
        assert step.children is not None
        index = step.children.started
        decision.add(ev.ChildStarted(step=name, attempt=step.attempts[-1].number, index=index))


def _has_room(step: StepState, declared: Step) -> bool:
    children = step.children
    assert children is not None
    if step.status != "running" or len(children.open) >= OPEN_CHILDREN:
        return False
    if declared.map is UNSET:
        return children.started == 0
    if children.started >= len(children.sizes) or children.failed > declared.map.tolerated:
        return False
    # Enough children that as many items as may run find something to do, also while one child ends.
    open_items = sum(children.sizes[index] for index in children.open)
    limit = declared.map.parallelism
    return not limit or open_items < limit + lists.ITEMS_OF_A_CHILD


def created(state: RunState, name: str, index: int, items: Sequence[Item] = ()) -> ev.RunCreated:
    """The first event of child `index` of the newest attempt of `name`; `items` are a map's, all of them."""
    step, declared = state.step(name), state.plan.step(name)
    body, mine = declared.body, state.created
    assert body is not UNSET
    attempt = step.attempts[-1].number
    parameters, inputs = _arguments(as_begun(state, name), step, declared, index)
    first = 0
    some: tuple[Item, ...] = ()
    map_ = declared.map
    if map_ is not UNSET and step.children is not None:
        first = sum(step.children.sizes[:index])
        some = tuple(items[first : first + step.children.sizes[index]])
        parameters.pop(map_.over, None)
        inputs.pop(map_.over, None)
    return ev.RunCreated(
        run_id=child_id(mine.run_id, name, attempt, index),
        workspace=mine.workspace,
        workflow=mine.workflow,
        release=body.release or mine.release,
        region=mine.region,
        graph=body.graph,
        parameters=_with_defaults(declared, parameters, inputs),
        bundle=body.bundle or mine.bundle,
        environment=body.environment or mine.environment,
        parent=Parent(
            run_id=mine.run_id,
            step=name,
            attempt=attempt,
            index=index,
            first=first,
            over="" if map_ is UNSET else map_.over,
            parallelism=0 if map_ is UNSET else map_.parallelism,
            around=_around(mine, name, 0 if map_ is UNSET else map_.parallelism),
        ),
        items=some,
        inputs=inputs,
        origin=_origin(state, step),
        cache=mine.cache,
        priority=mine.priority,
        tolerated=0 if map_ is UNSET else map_.tolerated,
    )


def _around(mine: ev.RunCreated, name: str, parallelism: int) -> dict[str, int]:
    """The limits of the maps around a child: those around its parent, and that of its own map."""
    outer = {} if mine.parent is UNSET else mine.parent.around
    return {**outer, f"{mine.run_id}.{name}": parallelism} if parallelism else outer


def _origin(state: RunState, step: StepState) -> Origin | UnsetType:
    """A step with a body that is tried again reuses what its earlier attempts have done."""
    mine = state.created
    if mine.origin is not UNSET:
        again, allow = inside(mine.origin.again, step.name), inside(mine.origin.allow, step.name)
        return replace(mine.origin, again=again, allow=allow)
    if len(step.attempts) > 1:
        return Origin(kind="retry", run_id=root_id(mine.run_id))
    return UNSET


def _arguments(
    state: RunState, step: StepState, declared: Step, index: int
) -> tuple[dict[str, Json], dict[str, Artifact]]:
    """Parameters of the body: the step's inputs, and in a repeat what the iteration before gave."""
    parameters: dict[str, Json] = {}
    inputs: dict[str, Artifact] = {}
    carried: dict[str, Artifact] = {}
    if declared.repeat is not UNSET and index > 0 and step.children is not None:
        before = step.children.outputs.get(index - 1, {})
        carried = {name: before[output] for name, output in declared.repeat.carry.items() if output in before}
    for name, binding in declared.inputs.items():
        given = input_of(state, binding)
        artifact = carried.pop(name, None) or (None if given.artifact is UNSET else given.artifact)
        if artifact is None:
            parameters[name] = given.value
        elif artifact.encoding == "json" and artifact.value is not UNSET:
            parameters[name] = artifact.value
        else:
            inputs[name] = artifact
    return parameters, inputs | carried


def _with_defaults(
    declared: Step, parameters: dict[str, Json], inputs: dict[str, Artifact]
) -> dict[str, Json]:
    assert declared.body is not UNSET
    for one in declared.body.graph.parameters:
        if one.default is not UNSET and not one.delayed and one.name not in (*parameters, *inputs):
            parameters[one.name] = one.default
    return parameters


# -- ends ------------------------------------------------------------------------------------------


def ended(child: RunState) -> ev.ChildEnded:
    """What a final child tells its parent."""
    parent = child.created.parent
    assert parent is not UNSET
    failed = len(child.failed_units)
    total = len(child.created.items) or 1
    failure = child.first_failure
    return ev.ChildEnded(
        step=parent.step,
        attempt=parent.attempt,
        index=parent.index,
        status=child.status,
        outputs=child.outputs,
        failure=UNSET if failure is None else _told(child, failure),
        succeeded=total - failed if child.status != "stopped" else 0,
        failed=failed,
    )


def _told(child: RunState, failure: Failure) -> Failure:
    message = f"run {child.created.run_id} inside it failed at {child.failed_step}: {failure.message}"
    return Failure(kind="child", reason="CHILD_FAILED", message=message, error_class=failure.error_class)


def next_move(decision: Decision, name: str) -> Failure | None:
    """After a child has ended: go on with the next, or complete the step; the failure where it failed.

    Neither where nothing new is started and what there is does not complete the step.
    """
    step, declared = decision.step(name), decision.declared(name)
    children = step.children
    assert children is not None
    if declared.map is not UNSET:
        return _map_move(decision, name, declared.map.tolerated)
    if children.failure is not None:
        return children.failure
    if children.open or children.completed < children.started:
        return None
    if declared.repeat is not UNSET:
        return _repeat_move(decision, name)
    _succeed(decision, name, _given_outputs(declared, children.outputs[children.started - 1]))
    return None


def _map_move(decision: Decision, name: str, tolerated: int) -> Failure | None:
    open_more(decision, name)
    children = decision.step(name).children
    assert children is not None
    if children.open or (children.started < len(children.sizes) and children.failed <= tolerated):
        return None
    if children.failed > tolerated:
        assert children.failure is not None
        items = f"{children.failed} of {sum(children.sizes)} items failed, {tolerated} are tolerated"
        return Failure(
            kind="child",
            reason="ITEMS_FAILED",
            message=f"{items}; the first: {children.failure.message}",
            error_class=children.failure.error_class,
        )
    if children.succeeded + children.failed == sum(children.sizes):
        _succeed(decision, name, _map_outputs(decision.state, name))
    return None


def is_to_stop(state: RunState, step: StepState) -> bool:
    """Are the runs inside the step to stop?"""
    return state.status == "stopping" or step.status == "stopping" or state.forced or is_exceeded(state, step)


def is_exceeded(state: RunState, step: StepState) -> bool:
    """Have so many items of a map failed that the others need not be tried any more?"""
    declared = state.plan.step(step.name)
    if declared.map is UNSET or step.children is None:
        return False
    return step.children.failed > declared.map.tolerated


def _repeat_move(decision: Decision, name: str) -> Failure | None:
    step, declared = decision.step(name), decision.declared(name)
    repeat, children = declared.repeat, step.children
    assert repeat is not UNSET
    assert children is not None
    outputs = children.outputs[children.started - 1]

    def body(reference: OutputRef) -> Artifact | None:
        return outputs.get(reference.name)

    try:
        holds, explanation = conditions.answer(as_begun(decision.state, name), repeat.until, body)
    except Unresolvable as error:
        return Failure(kind="invalid", reason=error.reason, message=error.message)
    if holds or (children.started >= repeat.max_iterations and repeat.at_maximum == "complete"):
        _succeed(decision, name, _given_outputs(declared, outputs))
        return None
    if children.started >= repeat.max_iterations:
        message = (
            f"after {children.started} iterations, the most there may be, it does not hold that {explanation}"
        )
        return Failure(kind="invalid", reason="NOT_REACHED", message=message)
    if decision.state.takes_work and step.status == "running":
        attempt = step.attempts[-1].number
        decision.add(ev.ChildStarted(step=name, attempt=attempt, index=children.started))
    return None


def _succeed(decision: Decision, name: str, outputs: dict[str, Artifact]) -> None:
    attempt = decision.step(name).attempts[-1].number
    decision.add(ev.AttemptSucceeded(step=name, attempt=attempt, outputs=outputs))


def _given_outputs(declared: Step, outputs: dict[str, Artifact]) -> dict[str, Artifact]:
    return {one.name: outputs[one.name] for one in declared.outputs if one.name in outputs}


def _map_outputs(state: RunState, name: str) -> dict[str, Artifact]:
    return {output: stored.artifact for output, stored in map_lists(state, name).items()}


def map_lists(state: RunState, name: str) -> dict[str, lists.Stored]:
    """The outputs of a map step whose children have all ended."""
    children = state.step(name).children or Children()
    found = {}
    for output in state.plan.step(name).outputs:
        parts = [_part(children, index, output.name) for index in range(len(children.sizes))]
        found[output.name] = lists.joined(parts) if parts else lists.stored(())
    return found


def _part(children: Children, index: int, output: str) -> Artifact:
    """What a child gave; a stopped one that is tolerated gave nothing for each of its items."""
    given = children.outputs.get(index, {}).get(output)
    return lists.stored([None] * children.sizes[index]).artifact if given is None else given


def contents(events: Iterable[ev.RunEvent], state: RunState) -> dict[str, bytes]:
    """Lists that the events name by digest alone: their bytes, to be stored before the events are appended.

    `state` is the one behind the last of the events.
    """
    found: list[lists.Stored] = []
    for event in events:
        if isinstance(event, ev.AttemptSucceeded) and state.plan.step(event.step).kind == "map":
            found += map_lists(state, event.step).values()
        elif isinstance(event, ev.RunCompleted) and state.created.items:
            found += item_lists(state).values()
    return {one.artifact.digest: one.content for one in found if one.artifact.value is UNSET and one.content}


def outputs_of_items(state: RunState) -> dict[str, Artifact]:
    return {name: stored.artifact for name, stored in item_lists(state).items()}


def item_lists(state: RunState) -> dict[str, lists.Stored]:
    """Outputs of a map's child: of each output of the body what every item gave, null for a failed one."""
    parent = state.created.parent
    assert parent is not UNSET
    found = {}
    for name, binding in state.created.graph.outputs.items():
        numbers = range(parent.first, parent.first + len(state.created.items))
        outputs = (_item_output(state, binding, parent.over, number) for number in numbers)
        found[name] = lists.stored(
            [None if place in state.failed_units else one for place, one in enumerate(outputs)]
        )
    return found


def _item_output(state: RunState, binding: Binding, over: str, number: int) -> Artifact | None:
    try:
        return output_of(state, renumbered(binding, over, number))
    except Unresolvable:
        return None
