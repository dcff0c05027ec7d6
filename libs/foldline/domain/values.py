"""Finding the values that bindings point at, inside the state of a run."""

from __future__ import annotations

from msgspec import UNSET

from foldline.domain.artifacts import INLINE_LIMIT_BYTES
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.run import RunState
from foldline.domain.spec import Binding, Json, OutputRef
from foldline.domain.work import Input


class Unresolvable(FoldlineError):
    """A binding points at something that the run does not have."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(Kind.INVALID, reason, message)


def input_of(state: RunState, binding: Binding) -> Input:
    """What a step gets for `binding`: a value, or an artifact where a whole output is meant."""
    if binding.output is not UNSET and not binding.output.path:
        output = binding.output
        outputs = state.step(output.step).outputs
        if output.name not in outputs:
            raise Unresolvable("OUTPUT_MISSING", f"{output.step} did not produce {output.name}")
        return Input(artifact=outputs[output.name])
    return Input(value=value_of(state, binding))


def value_of(state: RunState, binding: Binding) -> Json:
    """The JSON value behind `binding`. Raises Unresolvable."""
    if binding.value is not UNSET:
        return binding.value
    if binding.parameter is not UNSET:
        if binding.parameter not in state.created.parameters:
            raise Unresolvable("PARAMETER_MISSING", f"parameter {binding.parameter} has no value")
        return state.created.parameters[binding.parameter]
    if binding.output is UNSET:
        raise Unresolvable("ILLEGAL_BINDING", "a binding without a source")
    return _output_value(state, binding.output)


def _output_value(state: RunState, reference: OutputRef) -> Json:
    artifact = state.step(reference.step).outputs.get(reference.name)
    where = f"{reference.step}.{reference.name}"
    if artifact is None:
        raise Unresolvable("OUTPUT_MISSING", f"{reference.step} did not produce {reference.name}")
    if artifact.value is UNSET:
        limit = INLINE_LIMIT_BYTES // 1024
        raise Unresolvable(
            "VALUE_NOT_INLINE",
            f"{where} is {artifact.encoding} of {artifact.size_bytes} bytes; keys and conditions need a JSON "
            f"value of at most {limit} KiB",
        )
    value = artifact.value
    for key in reference.path:
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
