"""Finding the values that bindings point at, inside the state of a run."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET

from foldline.domain import lists
from foldline.domain.artifacts import INLINE_LIMIT_BYTES, Artifact, inline
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.run import RunState
from foldline.domain.spec import Binding, Json, Merge, MetricRef, OutputRef
from foldline.domain.work import Input


class Unresolvable(FoldlineError):
    """A binding points at something that the run does not have."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(Kind.INVALID, reason, message)


def input_of(state: RunState, binding: Binding) -> Input:
    """What a step gets for `binding`: a value, or an artifact where a whole output is meant."""
    artifact = artifact_of(state, binding)
    return Input(value=value_of(state, binding)) if artifact is None else Input(artifact=artifact)


def artifact_of(state: RunState, binding: Binding) -> Artifact | None:
    """The artifact that `binding` means as a whole; None where it means a JSON value. Raises Unresolvable."""
    if binding.parameter is not UNSET:
        return state.inputs.get(binding.parameter)
    reference = binding.output
    if binding.merge is not UNSET:
        reference = merged(state, binding.merge)
    if reference is UNSET or reference.path:
        return None
    return _output(state, reference)


def output_of(state: RunState, binding: Binding) -> Artifact:
    """What a run gives under one of its outputs' names. Raises Unresolvable."""
    artifact = artifact_of(state, binding)
    return inline(value_of(state, binding)) if artifact is None else artifact


def value_of(
    state: RunState, binding: Binding, body: Callable[[OutputRef], Artifact | None] = lambda _: None
) -> Json:
    """The JSON value behind `binding`; `body` finds the outputs of a body. Raises Unresolvable."""
    if binding.value is not UNSET:
        return binding.value
    if binding.parameter is not UNSET:
        return _parameter(state, binding.parameter)
    if binding.metric is not UNSET:
        return _metric(state, binding.metric)
    if binding.fact is not UNSET:
        return _fact(state, binding.fact)
    reference = merged(state, binding.merge) if binding.merge is not UNSET else binding.output
    if reference is UNSET:
        raise Unresolvable("ILLEGAL_BINDING", "a binding without a source")
    if not reference.step:
        artifact = body(reference)
        if artifact is None:
            raise Unresolvable("OUTPUT_MISSING", f"the body did not produce {reference.name}")
        return _inside(artifact, reference.path, f"the body's {reference.name}")
    return _inside(_output(state, reference), reference.path, f"{reference.step}.{reference.name}")


def merged(state: RunState, merge: Merge) -> OutputRef:
    """The one alternative that was produced. Raises Unresolvable for none and for several."""
    produced = [one for one in merge.outputs if one.name in state.step(one.step).outputs]
    names = ", ".join(f"{one.step}.{one.name}" for one in produced or merge.outputs)
    if not produced:
        raise Unresolvable("MERGE_OF_NONE", f"none of {names} was produced")
    if len(produced) > 1:
        raise Unresolvable("MERGE_OF_SEVERAL", f"{names} were all produced, but exactly one is expected")
    return produced[0]


def _parameter(state: RunState, name: str) -> Json:
    if name in state.parameters:
        return state.parameters[name]
    if name in state.inputs:
        return _inside(state.inputs[name], (), f"parameter {name}")
    raise Unresolvable("PARAMETER_MISSING", f"parameter {name} has no value")


def _metric(state: RunState, reference: MetricRef) -> float:
    metrics = state.step(reference.step).metrics
    if reference.name not in metrics:
        known = ", ".join(metrics) or "none"
        message = f"{reference.step} recorded no metric {reference.name}; it recorded: {known}"
        raise Unresolvable("METRIC_MISSING", message)
    return metrics[reference.name]


def _fact(state: RunState, name: str) -> Json:
    failure = state.failure
    match name:
        case "status":
            return state.outcome
        case "step":
            return state.failed_step
        case "reason":
            return failure.reason if failure else ""
        case _:
            return failure.message if failure else ""


def _output(state: RunState, reference: OutputRef) -> Artifact:
    artifact = state.step(reference.step).outputs.get(reference.name)
    if artifact is None:
        raise Unresolvable("OUTPUT_MISSING", f"{reference.step} did not produce {reference.name}")
    return artifact


def _inside(artifact: Artifact, path: tuple[str, ...], where: str) -> Json:
    value = lists.values(artifact) if artifact.encoding == lists.LIST else artifact.value
    if value is UNSET:
        limit = INLINE_LIMIT_BYTES // 1024
        raise Unresolvable(
            "VALUE_NOT_INLINE",
            f"{where} is {artifact.encoding} of {artifact.size_bytes} bytes; keys and conditions need a JSON "
            f"value of at most {limit} KiB",
        )
    for key in path:
        value = _at(value, key, where)
        where = f"{where}[{key!r}]"
    return value


def _at(value: Json, key: str, where: str) -> Json:
    if isinstance(value, dict):
        if key in value:
            return value[key]
        raise Unresolvable("KEY_MISSING", f"{where} has no key {key!r}; it has {', '.join(value) or 'none'}")
    if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
        return value[int(key)]
    raise Unresolvable("KEY_MISSING", f"{where} is {type(value).__name__} without {key!r}")
