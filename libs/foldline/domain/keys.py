"""When are two attempts equal? When the digest of code, environment and inputs is: their key.

Caching, forks and reruns compare keys and nothing else. The key is computed from what is recorded anyway,
so it can be had for any attempt of any run, also of runs from before anybody asked. Not part of it: names
of steps, titles, retry policies, time-outs, resources; they change how a step runs, not what it gives.

A person's answer is another matter: it was given at one place, knowing what the run had produced so far.
So the key of a wait step has its path and what the steps before it gave, whether it takes that or not.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from foldline.domain.paths import path_of
from foldline.domain.releases import digest
from foldline.domain.run import RunState, as_begun
from foldline.domain.spec import WORK_KINDS, Binding, Body, Expression, Json, Step
from foldline.domain.values import Unresolvable, input_of
from foldline.domain.work import Input

Parts = dict[str, Any]


def key_of(state: RunState, name: str) -> str:
    """The key of the step's next or newest attempt. Raises Unresolvable while an input is missing."""
    return key_of_parts(parts_of(state, name))


def key_of_parts(parts: Parts) -> str:
    # Not `releases.canonical`, for which 1.0 is 1: to a step's function they are not the same.
    return digest(msgspec.json.encode(parts, order="sorted"))


def parts_of(state: RunState, name: str) -> Parts:
    """What the key is the digest of, by what a person would call it. Raises Unresolvable."""
    state = as_begun(state, name)
    declared = state.plan.step(name)
    parts = fixed_parts(state, declared)
    parts["inputs"] = {one: identity(state, binding) for one, binding in declared.inputs.items()}
    if declared.repeat is not UNSET:
        parts["until"] = _condition(state, declared.repeat.until)
    if declared.wait is not UNSET:
        parts["place"] = path_of(state.created.run_id, name)
        parts["before"] = _before(state, name)
    return parts


def fixed_parts(state: RunState, declared: Step) -> Parts:
    """Those parts that are known before anything has run."""
    created = state.created
    parts: Parts = {"kind": declared.kind, "outputs": [[one.name, one.type] for one in declared.outputs]}
    if declared.function is not UNSET:
        parts["function"] = [declared.function.module, declared.function.name]
        parts["code"] = declared.code or created.bundle
        parts["environment"] = created.environment
        parts["pickle"] = declared.allow_pickle
    if declared.command is not UNSET:
        parts["command"] = declared.command
        parts["code"] = declared.code or created.bundle
        parts["environment"] = created.environment
    if declared.ranks > 1:
        parts["ranks"] = declared.ranks
    if declared.body is not UNSET:
        parts["body"] = _body(declared.body, created.bundle)
        parts["environment"] = declared.body.environment or created.environment
    if declared.map is not UNSET:
        parts["map"] = [declared.map.over, declared.map.tolerated]
    if declared.repeat is not UNSET:
        repeat = declared.repeat
        parts["repeat"] = [repeat.max_iterations, repeat.at_maximum, repeat.carry]
    if declared.wait is not UNSET:
        parts["wait"] = declared.wait
    return parts


def identity(state: RunState, binding: Binding) -> Json:
    """What counts of an input. Raises Unresolvable."""
    return _identity(input_of(state, binding))


def _identity(given: Input) -> Json:
    """A JSON value counts by itself, whether a constant, a parameter or another step gave it."""
    artifact = given.artifact
    if artifact is UNSET:
        return {"value": given.value}
    if artifact.encoding == "json" and artifact.value is not UNSET:
        return {"value": artifact.value}
    return {"digest": artifact.digest, "encoding": artifact.encoding}


def _body(body: Body, bundle: str) -> list[object]:
    """What a body does; the whole bundle counts where a step in it does not know its own code."""
    return [body.bundle or (bundle if _lacks_code(body) else ""), body.graph]


def _lacks_code(body: Body) -> bool:
    return any(
        (step.kind in WORK_KINDS and not step.code)
        or (step.body is not UNSET and not step.body.bundle and _lacks_code(step.body))
        for step in body.graph.steps
    )


def _condition(state: RunState, expression: Expression) -> Json:
    """A condition with the values it compares instead of where these come from."""
    sides = [_operand(state, side) for side in (expression.left, expression.right) if side is not UNSET]
    return [expression.op, *sides, *(_condition(state, term) for term in expression.terms)]


def _operand(state: RunState, operand: Binding) -> Json:
    reference = operand.output
    if reference is not UNSET and not reference.step:
        return {"body": [reference.name, *reference.path]}
    try:
        return identity(state, operand)
    except Unresolvable as error:
        return {"missing": error.reason}


def _before(state: RunState, name: str) -> Json:
    """What there was to see when a wait step asked: the outcome of the steps before it, or else the values
    that its run was started with."""
    needs = state.plan.needs[state.plan.index[name]]
    if needs:
        return [_outcome(state, place) for place in needs]
    parent = state.created.parent
    if parent is UNSET:
        return state.parameters
    number = name.partition(".")[2]
    values = {**state.parameters, **{one: given.digest for one, given in state.inputs.items()}}
    return {one: value for one, value in values.items() if one.partition(".")[2] in ("", number)}


def _outcome(state: RunState, place: int) -> Json:
    step = state.steps[place]
    outputs = {one: _identity(Input(artifact=given)) for one, given in step.outputs.items()}
    return [step.name, step.status, step.answer, outputs, step.metrics]
