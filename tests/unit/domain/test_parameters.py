"""Values against declared parameters."""

from __future__ import annotations

import pytest

from foldline.domain import parameters
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.spec import Json, Parameter

DEPTH = Parameter(name="depth", type="int", minimum=1, maximum=5)
RATE = Parameter(name="rate", type="float", default=1)
KERNEL = Parameter(name="kernel", type="str", default="rbf", choices=("rbf", "linear"))
ALL = (DEPTH, RATE, KERNEL)


def test_defaults_complete_the_given_values() -> None:
    assert parameters.check(ALL, {"depth": 3}) == {"depth": 3, "rate": 1.0, "kernel": "rbf"}


def test_whole_doubles_become_ints_for_int_parameters_and_ints_become_floats_for_float_parameters() -> None:
    found = parameters.check(ALL, {"depth": 3.0, "rate": 2})

    assert (type(found["depth"]), type(found["rate"])) == (int, float)


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(FoldlineError) as caught:
        parameters.check(ALL, {"kernl": "rbf", "kernel": "poly"})

    assert caught.value.kind is Kind.INVALID
    assert caught.value.message == (
        "parameter kernl is not a parameter of the workflow; did you mean kernel?; "
        'parameter kernel is "poly", but must be one of "rbf", "linear"; '
        "parameter depth is required, but has no value"
    )
    assert caught.value.fields["parameter depth"] == "is required, but has no value"


@pytest.mark.parametrize(
    ("parameter", "value", "rule"),
    [
        (DEPTH, 0, "must be at least 1"),
        (DEPTH, 6, "must be at most 5"),
        (DEPTH, 2.5, "must be a whole number"),
        (DEPTH, True, "must be a whole number"),
        (DEPTH, "3", "must be a whole number"),
        (DEPTH, None, "must be a whole number"),
        (DEPTH, 2**53, "must be a whole number"),
        (RATE, float("nan"), "must be a number"),
        (RATE, float("inf"), "must be a number"),
        (RATE, False, "must be a number"),
        (KERNEL, "poly", "must be one of"),
        (Parameter(name="flag", type="bool"), 1, "must be true or false"),
        (Parameter(name="size", type="int", choices=(1, 2)), 3, "must be one of 1, 2"),
        (Parameter(name="deep", type="json"), {"x": [float("nan")]}, "must be a JSON value"),
        (Parameter(name="deep", type="json"), {1: 2}, "must be a JSON value"),
        (Parameter(name="text", type="str"), "x" * 70_000, "is longer than 65536 bytes"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_rule(
    parameter: Parameter, value: Json, rule: str
) -> None:
    with pytest.raises(FoldlineError, match=rule) as caught:
        parameters.check_partial([parameter], {parameter.name: value})

    assert caught.value.message.startswith(f"parameter {parameter.name} ")


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "x", [1, [2]], {"a": {"b": None}}])
def test_a_json_parameter_takes_every_json_value(value: Json) -> None:
    assert parameters.check([Parameter(name="any", type="json")], {"any": value}) == {"any": value}


def test_true_is_not_the_choice_1() -> None:
    parameter = Parameter(name="any", type="json", choices=(1,))

    assert parameters.check([parameter], {"any": 1.0}) == {"any": 1.0}
    with pytest.raises(FoldlineError, match="must be one of 1"):
        parameters.check([parameter], {"any": True})


@pytest.mark.parametrize("name", ["kind", "reason", "message", "self", "fields"])
def test_a_parameter_may_be_named_like_anything_in_an_error(name: str) -> None:
    with pytest.raises(FoldlineError) as caught:
        parameters.check([Parameter(name=name, type="int")], {})

    assert caught.value.reason == "INVALID_PARAMETERS"


def test_part_of_the_values_may_be_checked_alone() -> None:
    assert parameters.check_partial(ALL, {"rate": 2}) == {"rate": 2.0}


def test_sorting_out_keeps_what_fits_and_says_why_the_rest_does_not() -> None:
    fitting, problems = parameters.sort_out(ALL, {"depth": 9, "rate": 2})

    assert fitting == {"rate": 2.0}
    assert problems == {"depth": "is 9, but must be at most 5"}


def test_missing_are_required_parameters_without_a_value() -> None:
    assert parameters.missing(ALL, {}) == ["depth"]
    assert parameters.missing(ALL, {"depth": 1}) == []


def test_the_schema_says_the_same_rules_for_forms() -> None:
    assert parameters.schema(ALL) == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "depth": {"x-order": 0, "type": "integer", "minimum": 1, "maximum": 5},
            "rate": {"x-order": 1, "type": "number", "default": 1.0},
            "kernel": {"x-order": 2, "type": "string", "enum": ["rbf", "linear"], "default": "rbf"},
        },
        "required": ["depth"],
        "additionalProperties": False,
    }


def test_a_json_parameter_has_no_type_in_the_schema() -> None:
    found = parameters.schema([Parameter(name="any", type="json", title="Anything", description="At all.")])

    assert found["properties"]["any"] == {"x-order": 0, "title": "Anything", "description": "At all."}
