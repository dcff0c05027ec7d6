"""What is shown of a value beside its artifact: little, in JSON, whatever the value."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.linear_model import LogisticRegression
from tests.unit.runtime.coding import Encode, _in_a_work_folder, decode, encode, refusal

from foldline.runtime.codecs import classes, previews
from foldline.runtime.codecs.arrays import MEASURED

__all__ = ["_in_a_work_folder", "encode"]

SAME_FOLDER = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**60), 2**60),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXT,
    ),
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@SAME_FOLDER
@given(value=JSON)
def test_every_json_value_comes_back_equal(encode: Encode, value: Any) -> None:
    product = encode(value)

    assert product.text is not None
    assert json.loads(product.text) == value


@SAME_FOLDER
@given(
    array=arrays.arrays(
        dtype=st.one_of(
            arrays.scalar_dtypes().filter(lambda dtype: dtype.kind != "O"), arrays.unicode_string_dtypes()
        ),
        shape=arrays.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=4),
    )
)
def test_every_array_comes_back_equal_and_can_be_shown(encode: Encode, array: np.ndarray) -> None:
    product = encode(array)

    back = decode(product)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()
    assert product.preview["kind"] == "array"
    assert product.preview["shape"] == list(array.shape)
    json.dumps(product.preview, allow_nan=False)


COLUMNS = st.fixed_dictionaries(
    {
        "number": st.lists(st.none() | st.integers(-(2**40), 2**40), min_size=3, max_size=3),
        "text": st.lists(st.none() | TEXT, min_size=3, max_size=3),
    }
)


@SAME_FOLDER
@given(columns=COLUMNS)
def test_every_polars_table_comes_back_equal(encode: Encode, columns: dict[str, list[Any]]) -> None:
    table = pl.DataFrame(columns, schema={"number": pl.Int64, "text": pl.String})

    product = encode(table)

    assert (product.type, product.encoding) == ("table", "parquet")
    assert decode(product).equals(table)
    assert [one["nulls"] for one in product.preview["columns"]] == [
        columns["number"].count(None),
        columns["text"].count(None),
    ]


def test_a_lazy_polars_frame_is_asked_to_collect(encode: Encode) -> None:
    assert "return frame.collect()" in refusal(encode, pl.DataFrame({"a": [1]}).lazy())


def test_a_table_shows_types_nulls_and_its_first_rows(encode: Encode) -> None:
    frame = pd.DataFrame({"a": range(100), "b": ["x" * 500, None] * 50})

    preview = encode(frame).preview

    assert (preview["kind"], preview["rows"]) == ("table", 100)
    assert [(one["name"], one["nulls"]) for one in preview["columns"]] == [("a", 0), ("b", 50)]
    assert preview["columns"][0]["type"] == "int64"
    assert len(preview["head"]) == previews.ROWS
    assert preview["head"][1] == [1, None]
    assert len(preview["head"][0][1]) == 100


def test_an_array_shows_least_greatest_and_mean_without_what_is_no_number(encode: Encode) -> None:
    preview = encode(np.array([[1.0, np.nan], [3.0, 8.0]])).preview

    assert (preview["dtype"], preview["nan"]) == ("float64", 1)
    assert (preview["min"], preview["max"], preview["mean"]) == (1.0, 8.0, 4.0)
    assert preview["first"] == [1.0, "nan", 3.0, 8.0]


def test_of_a_huge_array_a_part_is_measured(encode: Encode) -> None:
    preview = encode(np.zeros(MEASURED + 1, dtype=np.int8)).preview

    assert preview["measured"] < MEASURED
    assert preview["mean"] == 0.0


def test_a_model_shows_its_parameters_and_features(encode: Encode) -> None:
    frame = pd.DataFrame({"age": [1, 2, 3, 4], "size": [1.0, 0.0, 1.0, 0.0]})

    preview = encode(LogisticRegression(C=0.5).fit(frame, ["no", "no", "yes", "yes"])).preview

    assert preview["class"] == "sklearn.linear_model._logistic.LogisticRegression"
    assert preview["parameters"]["C"] == 0.5
    assert preview["feature_names"] == ["age", "size"]
    assert preview["classes"] == ["no", "yes"]


def test_a_text_file_shows_its_beginning_and_another_none(encode: Encode) -> None:
    Path("notes.txt").write_text("é" * 5000)
    Path("data.bin").write_bytes(bytes([0, 255, 3]))

    assert encode(Path("notes.txt")).preview["text"].startswith("ééé")
    assert encode(Path("data.bin")).preview["text"] == ""


def test_large_json_shows_its_keys(encode: Encode) -> None:
    preview = encode({"rows": ["x" * 100] * 1000, "more": 1}).preview

    assert preview["keys"] == ["rows", "more"]
    assert len(preview["text"]) == previews.LONGEST_TEXT


def test_what_is_too_long_loses_its_longest_parts() -> None:
    found = previews.bounded({"kind": "x", "a": "y" * 40_000, "b": ["z" * 1000] * 100, "c": 1})

    assert found == {"kind": "x", "c": 1, "cut": ["b", "a"]}


class Point(NamedTuple):
    x: int
    y: int = 0


@dataclasses.dataclass
class Shape:
    name: str
    corner: Point


class Settings(pydantic.BaseModel):
    rate: float
    shapes: list[str] = []


@pytest.mark.parametrize(
    "value", [Shape("square", Point(1, 2)), Point(3, 4), Settings(rate=0.5, shapes=["a"])]
)
def test_records_come_back_as_the_class_that_a_parameter_is_annotated_with(
    encode: Encode, value: Any
) -> None:
    text = encode(value).text
    assert text is not None

    def step(record: Any) -> None: ...

    step.__annotations__["record"] = type(value)
    back = classes.built(json.loads(text), classes.annotations_of(step)["record"])

    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("annotation", [dict, Any, "dict[str, int]", None, list[Point]])
def test_everything_else_stays_as_it_is(annotation: Any) -> None:
    assert classes.built({"x": 1}, annotation) == {"x": 1}


def test_a_pydantic_model_with_no_json_in_it_is_refused(encode: Encode) -> None:
    assert "its part rate is nan" in refusal(encode, Settings(rate=float("nan")))


def test_a_missing_library_is_named(encode: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    product = encode(np.zeros(3)), encode({"a": np.zeros(3)})
    find: Callable[..., Any] = importlib.import_module

    def without(name: str, *more: Any) -> Any:
        if name.split(".", maxsplit=1)[0] == "safetensors":
            raise ModuleNotFoundError(name)
        return find(name, *more)

    monkeypatch.setattr(importlib, "import_module", without)

    assert product
    assert "dicts of arrays need the package safetensors" in refusal(encode, {"a": np.zeros(3)})


def test_pickle_that_the_installation_forbids_is_told_so(encode: Encode) -> None:
    said = refusal(encode, {1, 2}, pickle_forbidden=True)

    assert "which this installation does not permit (FOLDLINE_ALLOW_PICKLE)" in said
