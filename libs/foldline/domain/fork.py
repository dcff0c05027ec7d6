"""From an earlier run and what shall be different to the first event of a new run.

The new run begins with the values that the earlier one had in the end, those given during it included. It
takes over nothing by itself: each of its steps asks for equal attempts (`recall`). What its steps would do
can be known before it is started (`forecast`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import UNSET, Struct

from foldline.domain import lists, parameters
from foldline.domain.artifacts import INLINE_LIMIT_BYTES, Artifact, inline
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.paths import ALL
from foldline.domain.relations import Origin, Reuse
from foldline.domain.run import RunState
from foldline.domain.run_events import RunCreated
from foldline.domain.spec import Graph, Json, Output, Step
from foldline.domain.types import accepts, type_of_value


class Edits(Struct, frozen=True, kw_only=True):
    """How a new run differs from an earlier one."""

    values: Mapping[str, Json] = {}  # parameters, over those of the earlier run
    again: tuple[str, ...] = ()  # steps that run in any case
    whole: bool = False  # all of them do
    allow: tuple[str, ...] = ()  # unsafe steps that may run again
    outputs: Mapping[str, Mapping[str, Json]] = {}  # by step and output: the step is not run


class Code(Struct, frozen=True, kw_only=True):
    """What a run is of: a release, resolved."""

    release: str
    graph: Graph
    bundle: str = ""
    environment: str = ""


def code_of(created: RunCreated) -> Code:
    return Code(
        release=created.release,
        graph=created.graph,
        bundle=created.bundle,
        environment=created.environment,
    )


def fork(
    origin: RunState,
    edits: Edits,
    *,
    run_id: str,
    code: Code | None = None,
    cache: str = "",
    priority: int = 0,
) -> RunCreated:
    """The first event of the run that differs from `origin` by `edits` and, if given, by its code.

    Raises RUN_IS_A_PART, INVALID_PARAMETERS, UNKNOWN_STEP, NO_STAND_IN and ILLEGAL_STAND_IN.
    """
    earlier = origin.created
    if origin.is_part:
        message = f"run {earlier.run_id} is inside another; fork that one, and name its steps by their path"
        raise FoldlineError(Kind.PRECONDITION, "RUN_IS_A_PART", message)
    code = code or code_of(earlier)
    steps = {step.name: step for step in code.graph.steps}
    _check_names(steps, (*edits.again, *edits.allow))
    stand_ins = {name: _stand_in(steps, name, given, origin) for name, given in edits.outputs.items()}
    return RunCreated(
        run_id=run_id,
        workspace=earlier.workspace,
        workflow=earlier.workflow,
        release=code.release,
        region=earlier.region,
        graph=code.graph,
        parameters=_values(origin, edits, code.graph),
        bundle=code.bundle,
        environment=code.environment,
        origin=Origin(
            kind="rerun" if edits.whole else "fork",
            run_id=earlier.run_id,
            again=(ALL,) if edits.whole else edits.again,
            allow=edits.allow,
        ),
        selection=tuple(name for name in earlier.selection if name in steps),
        given={name: one for name, one in earlier.given.items() if name in steps} | stand_ins,
        cache=cache,
        priority=priority,
    )


def _values(origin: RunState, edits: Edits, graph: Graph) -> dict[str, Json]:
    """What the new code has no parameter for is left behind; what it asks for besides has its default."""
    known = {one.name for one in graph.parameters}
    carried = {name: value for name, value in origin.parameters.items() if name in known}
    return parameters.check(graph.parameters, carried | dict(edits.values))


def _check_names(steps: Mapping[str, Step], paths: Iterable[str]) -> None:
    """Every name is one of a step, or a path into a step with a body."""
    for path in paths:
        inside = steps
        for level in path.split("/") if path != ALL else ():
            step = inside.get(level) or inside.get(level.partition(".")[0])
            if step is None:
                known = ", ".join(list(inside)[:50]) or "no steps"
                message = f"there is no step {path}: {level} is none of {known}"
                raise FoldlineError(Kind.NOT_FOUND, "UNKNOWN_STEP", message)
            inside = {} if step.body is UNSET else {one.name: one for one in step.body.graph.steps}


# -- outputs that stand in ---------------------------------------------------------------------------


def _stand_in(steps: Mapping[str, Step], name: str, given: Mapping[str, Json], origin: RunState) -> Reuse:
    """Outputs given by hand for a step; those that are not given are what the earlier run produced."""
    _check_names(steps, (name,))
    step = steps.get(name)
    if step is None or step.handles or not step.outputs:
        message = f"step {name} cannot be stood in for: it is inside another, a handler or without outputs"
        raise FoldlineError(Kind.INVALID, "NO_STAND_IN", message)
    unknown = [one for one in given if one not in {output.name for output in step.outputs}]
    if unknown:
        names = ", ".join(one.name for one in step.outputs)
        raise _illegal(name, unknown[0], f"is no output; it has {names}")
    produced = origin.step(name).outputs if name in origin.plan.index else {}
    outputs: dict[str, Artifact] = {}
    for output in step.outputs:
        if output.name in given:
            outputs[output.name] = _artifact(name, output, given[output.name])
        elif output.name in produced:
            outputs[output.name] = produced[output.name]
        else:
            raise _illegal(name, output.name, "is not given, and the earlier run did not produce it")
    return Reuse(run_id="", step=name, outputs=outputs)


def _artifact(step: str, output: Output, value: Json) -> Artifact:
    if output.type == "list" and isinstance(value, list):
        found = lists.stored([None if one is None else inline(one) for one in value]).artifact
        if found.value is UNSET:
            raise _illegal(step, output.name, f"is a list of more than {lists.INLINE_BYTES} bytes")
        return found
    if not accepts(output.type, type_of_value(value)):
        raise _illegal(step, output.name, f"is {type_of_value(value)}, but must be {output.type}")
    found = inline(value)
    if found.size_bytes > INLINE_LIMIT_BYTES:
        raise _illegal(step, output.name, f"is longer than {INLINE_LIMIT_BYTES} bytes as JSON")
    return found


def _illegal(step: str, output: str, rule: str) -> FoldlineError:
    return FoldlineError(Kind.INVALID, "ILLEGAL_STAND_IN", f"{step}.{output} {rule}")
