"""Values for parameters: which fit, which are missing, and the same rules as a JSON Schema for forms.

Values come through JSON and protobuf's Struct, where every number is a double. So an int parameter takes 4.0
and makes it 4, a float parameter takes 4 and makes it 4.0, and whole numbers stay where doubles are exact.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import UNSET

from foldline.domain.artifacts import INLINE_LIMIT_BYTES
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.releases import canonical
from foldline.domain.spec import Json, Parameter

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_LARGEST_INT = 2**53 - 1
_JSON_TYPE = {"int": "integer", "float": "number", "str": "string", "bool": "boolean"}
_WANTED = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}


def schema(parameters: Sequence[Parameter]) -> dict[str, Json]:
    """JSON Schema 2020-12 of a complete set of values.

    "x-order" is the place in the declaration, because a protobuf Struct forgets the order of its keys.
    """
    return {
        "$schema": DIALECT,
        "type": "object",
        "properties": {
            parameter.name: _property(parameter, place) for place, parameter in enumerate(parameters)
        },
        "required": [parameter.name for parameter in parameters if parameter.is_required],
        "additionalProperties": False,
    }


def check(parameters: Sequence[Parameter], values: Mapping[str, Json]) -> dict[str, Json]:
    """Every parameter with its value, defaults filled in. Raises INVALID_PARAMETERS with all problems.

    A delayed parameter without a value stays without one, also where it has a default: that is only what the
    form proposes when it is asked for.
    """
    fitting = check_partial(parameters, values, also=missing(parameters, values))
    return {
        parameter.name: fitting[parameter.name] if parameter.name in fitting else _default(parameter)
        for parameter in parameters
        if parameter.name in fitting or not parameter.delayed
    }


def check_partial(
    parameters: Sequence[Parameter], values: Mapping[str, Json], *, also: Iterable[str] = ()
) -> dict[str, Json]:
    """The given values, converted to their types; others may be missing. Raises INVALID_PARAMETERS.

    `also` names parameters to report as required but not set.
    """
    fitting, problems = sort_out(parameters, values)
    problems |= dict.fromkeys(also, "is required, but has no value")
    if problems:
        raise FoldlineError(
            Kind.INVALID,
            "INVALID_PARAMETERS",
            "; ".join(f"parameter {name} {problem}" for name, problem in problems.items()),
            **{f"parameter {name}": problem for name, problem in problems.items()},
        )
    return fitting


def sort_out(
    parameters: Sequence[Parameter], values: Mapping[str, Json]
) -> tuple[dict[str, Json], dict[str, str]]:
    """The values that fit, converted to their types, and the problem of each that does not."""
    known = {parameter.name: parameter for parameter in parameters}
    fitting: dict[str, Json] = {}
    problems: dict[str, str] = {}
    for name, value in values.items():
        if name not in known:
            problems[name] = f"is not a parameter of the workflow{_hint(name, known)}"
            continue
        converted = _converted(known[name], value)
        problem = next(_problems(known[name], converted), None)
        if problem is None:
            fitting[name] = converted
        else:
            problems[name] = problem
    return fitting, problems


def missing(parameters: Sequence[Parameter], values: Mapping[str, Json]) -> list[str]:
    """Names of the parameters that have neither a default nor a value, in declaration order."""
    return [
        parameter.name for parameter in parameters if parameter.is_required and parameter.name not in values
    ]


def _property(parameter: Parameter, place: int) -> dict[str, Json]:
    found: dict[str, Json] = {"x-order": place}
    if parameter.type in _JSON_TYPE:
        found["type"] = _JSON_TYPE[parameter.type]
    for key in ("title", "description"):
        if text := getattr(parameter, key):
            found[key] = text
    if parameter.choices:
        found["enum"] = list(parameter.choices)
    for key, value in (
        ("default", parameter.default),
        ("minimum", parameter.minimum),
        ("maximum", parameter.maximum),
    ):
        if value is not UNSET:
            found[key] = _converted(parameter, value)
    return found


def _default(parameter: Parameter) -> Json:
    return _converted(parameter, parameter.default)


def _converted(parameter: Parameter, value: Json) -> Json:
    """`value` as the parameter's own type of number, where that loses nothing."""
    if parameter.type == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    if parameter.type == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value) if abs(value) <= _LARGEST_INT else value
    return value


def _problems(parameter: Parameter, value: Json) -> Iterator[str]:
    shown = _shown(value)
    if not _is_of_type(parameter.type, value):
        yield f"is {shown}, but must be {_WANTED.get(parameter.type, 'a JSON value')}"
        return
    if isinstance(value, int | float) and not isinstance(value, bool):
        if parameter.minimum is not UNSET and value < parameter.minimum:
            yield f"is {shown}, but must be at least {_shown(parameter.minimum)}"
        if parameter.maximum is not UNSET and value > parameter.maximum:
            yield f"is {shown}, but must be at most {_shown(parameter.maximum)}"
    if parameter.choices and canonical(value) not in {canonical(choice) for choice in parameter.choices}:
        yield f"is {shown}, but must be one of {', '.join(map(_shown, parameter.choices))}"
    if len(canonical(value)) > INLINE_LIMIT_BYTES:
        yield f"is longer than {INLINE_LIMIT_BYTES} bytes as JSON; large values belong into an artifact"


def _is_of_type(wanted: str, value: Json) -> bool:
    match wanted:
        case "bool":
            return isinstance(value, bool)
        case "str":
            return isinstance(value, str)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST_INT
        case "float":
            return isinstance(value, float) and math.isfinite(value)
        case _:
            return _is_json(value)


def _is_json(value: Json) -> bool:
    match value:
        case dict():
            return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
        case list() | tuple():
            return all(map(_is_json, value))
        case float():
            return math.isfinite(value)
        case int() | str() | None:
            return True
        case _:
            return False


def _shown(value: Json) -> str:
    """A value as its JSON, cut for a sentence."""
    text = canonical(value).decode() if _is_json(value) else repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
