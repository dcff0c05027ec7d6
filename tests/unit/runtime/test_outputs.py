"""From a returned value to declared outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import pytest

from foldline.runtime.failures import StepError
from foldline.runtime.outputs import split

TWO = (("model", "any"), ("score", "float"))


class Pair(NamedTuple):
    model: str
    score: float


@dataclass
class Record:
    model: str
    score: float


def test_one_value_is_named_output() -> None:
    assert list(split({"a": 1}, (("output", "json"),))) == [("output", "json", {"a": 1})]


def test_no_declared_output_ignores_the_value() -> None:
    assert list(split(5, ())) == []


@pytest.mark.parametrize("value", [Pair("m", 0.5), Record("m", 0.5), {"score": 0.5, "model": "m"}])
def test_several_outputs_come_from_anything_with_names(value: object) -> None:
    assert list(split(value, TWO)) == [("model", "any", "m"), ("score", "float", 0.5)]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "the step returned nothing; it declares several outputs (model, score)"),
        (("m", 0.5), "the step returned a tuple"),
        ({"model": "m"}, "without score; declared are model, score"),
        ({"model": "m", "score": 1.0, "extra": 2}, "with extra, which it does not declare"),
    ],
)
def test_other_values_are_refused_by_name(value: object, message: str) -> None:
    with pytest.raises(StepError) as refused:
        split(value, TWO)

    assert refused.value.failure.reason == "OUTPUTS_WRONG"
    assert message in refused.value.failure.message
