"""When are two attempts equal? When the digest of code, environment and inputs is: their key.

Caching, forks and reruns compare keys and nothing else. The key is computed from what is recorded anyway,
so it can be had for any attempt of any run, also of runs from before anybody asked. Not part of it: names
of steps, titles, retry policies, time-outs, resources; they change how a step runs, not what it gives.
"""

from __future__ import annotations

from msgspec import UNSET

from foldline.domain.references import operands
from foldline.domain.releases import canonical, digest
from foldline.domain.run import RunState
from foldline.domain.spec import Body, Json, Step
from foldline.domain.values import Unresolvable, input_of
from foldline.domain.work import Input


def key_of(state: RunState, name: str) -> str:
    """The key of the step's next or newest attempt. Raises Unresolvable while an input is missing."""
    declared = state.plan.step(name)
    created = state.created
    content: dict[str, object] = {
        "kind": declared.kind,
        "outputs": [[one.name, one.type] for one in declared.outputs],
        "inputs": {one: _identity(input_of(state, binding)) for one, binding in declared.inputs.items()},
    }
    if declared.function is not UNSET:
        content["function"] = [declared.function.module, declared.function.name]
        content["code"] = declared.code or created.bundle
        content["environment"] = created.environment
        content["pickle"] = declared.allow_pickle
    if declared.body is not UNSET:
        content["body"] = _body(declared.body, created.bundle, created.environment)
    if declared.map is not UNSET:
        content["map"] = [declared.map.over, declared.map.tolerated]
    if declared.repeat is not UNSET:
        content["repeat"] = declared.repeat
        content["until"] = _operand_values(state, declared)
    if declared.wait is not UNSET:
        content["wait"] = declared.wait
    return digest(canonical(content))


def _identity(given: Input) -> Json:
    """A JSON value counts by itself, whether a constant, a parameter or another step gave it."""
    artifact = given.artifact
    if artifact is UNSET:
        return {"value": given.value}
    if artifact.encoding == "json" and artifact.value is not UNSET:
        return {"value": artifact.value}
    return {"digest": artifact.digest, "encoding": artifact.encoding}


def _body(body: Body, bundle: str, environment: str) -> list[object]:
    """What a body does; the whole bundle counts where a step in it does not know its own code."""
    return [body.bundle or (bundle if _lacks_code(body) else ""), body.environment or environment, body.graph]


def _lacks_code(body: Body) -> bool:
    return any(
        (step.function is not UNSET and not step.code)
        or (step.body is not UNSET and not step.body.bundle and _lacks_code(step.body))
        for step in body.graph.steps
    )


def _operand_values(state: RunState, declared: Step) -> list[Json]:
    assert declared.repeat is not UNSET
    found: list[Json] = []
    for operand in operands(declared.repeat.until):
        if operand.output is not UNSET and not operand.output.step:
            continue
        try:
            found.append(_identity(input_of(state, operand)))
        except Unresolvable as error:
            found.append({"missing": error.message})
    return found
