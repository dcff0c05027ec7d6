"""Values as files and back, in safe formats."""

from __future__ import annotations

import dataclasses
import io
import math
import pickle
import threading
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import PIL.Image
import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from tests.unit.runtime.coding import Encode, _in_a_work_folder, decode, encode, refusal

from foldline.runtime import codecs
from foldline.runtime.codecs.arrays import MAPPED_FROM_BYTES
from foldline.runtime.failures import StepError
from foldline.runtime.jobs import INLINE_LIMIT_BYTES, Given

__all__ = ["_in_a_work_folder", "encode"]


@dataclasses.dataclass
class Score:
    name: str
    values: list[float]


class Point(NamedTuple):
    x: int
    y: int


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "json", "null"),
        (True, "bool", "true"),
        (3, "int", "3"),
        (0.5, "float", "0.5"),
        ("é", "str", '"é"'),
        ({"b": 1, "a": [1, 2]}, "json", '{"b":1,"a":[1,2]}'),
        ((1, 2), "json", "[1,2]"),
        (Point(1, 2), "json", '{"x":1,"y":2}'),
        (Score("acc", [0.5]), "json", '{"name":"acc","values":[0.5]}'),
        (np.float64(0.5), "float", "0.5"),
        (np.int32(7), "int", "7"),
        (np.bool_(True), "bool", "true"),
        ({"n": np.int64(3)}, "json", '{"n":3}'),
    ],
)
def test_json_values_are_text(encode: Encode, value: object, kind: str, text: str) -> None:
    product = encode(value)

    assert (product.type, product.encoding, product.text) == (kind, "json", text)


def test_large_json_is_a_file(encode: Encode) -> None:
    value = ["x" * 1000] * 100

    product = encode(value)

    assert product.text is None
    assert decode(product) == value


def test_the_limit_counts_bytes_not_characters(encode: Encode) -> None:
    assert encode("é" * (INLINE_LIMIT_BYTES // 2)).text is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "it is nan, which JSON does not have"),
        ({"a": {"loss": math.inf}}, "its part a.loss is inf"),
        ([1, {2: 3}], "key 2 of [1] is of type int; JSON keys are str"),
        ({"when": date(2026, 1, 1)}, "its part when is a datetime.date, which is not JSON"),
        (threading.Lock(), "output output is a _thread.lock and cannot be stored: there is no safe format"),
        ({1, 2}, "output output is a set"),
        ("\ud800", "half a surrogate pair"),
        (np.array([object()]), "its dtype is object"),
        (pd.Series([1, 2]), "a Series is no table"),
        (Path("nowhere"), "there is no file nowhere"),
        (FunctionTransformer(func=len), "types that are not on the list of safe ones: builtins.len"),
    ],
)
def test_what_cannot_be_stored_is_named(encode: Encode, value: object, message: str) -> None:
    found = refusal(encode, value)

    assert found.startswith("OUTPUT_NOT_STORABLE: output output is a ")
    assert message in found


def test_a_value_that_contains_itself_is_refused(encode: Encode) -> None:
    value: list[object] = []
    value.append(value)

    assert "contains itself" in refusal(encode, value)


@pytest.mark.parametrize(
    ("value", "declared", "kind"),
    [(1, "float", "float"), (1, "json", "json"), (None, "json", "json"), ("a", "str", "str")],
)
def test_a_value_that_fits_has_the_declared_type(
    encode: Encode, value: object, declared: str, kind: str
) -> None:
    assert encode(value, declared).type == kind


@pytest.mark.parametrize(
    ("value", "declared", "message"),
    [
        ("high", "float", "declared float but is str (str)"),
        (None, "float", "declared float but is None"),
        ([1.0], "array", "declared array but is json (list)"),
        (True, "int", "declared int but is bool"),
    ],
)
def test_a_value_of_another_type_is_refused(
    encode: Encode, value: object, declared: str, message: str
) -> None:
    found = refusal(encode, value, declared)

    assert found.startswith("OUTPUT_TYPE_WRONG")
    assert message in found


@pytest.mark.parametrize("dtype", ["float32", "int64", "U5", "datetime64[ns]", "bool", "complex128"])
def test_arrays_come_back_equal(encode: Encode, dtype: str) -> None:
    array = np.zeros((3, 4), dtype=dtype)

    product = encode(array)

    assert (product.type, product.encoding) == ("array", "npy")
    assert product.summary["shape"] == [3, 4]
    back = decode(product)
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)


def test_a_large_array_is_mapped_and_can_be_changed_without_touching_the_file(encode: Encode) -> None:
    array = np.ones(MAPPED_FROM_BYTES // 8 + 1)

    product = encode(array)
    back = decode(product)
    back[0] = 5.0

    assert isinstance(back, np.memmap)
    assert decode(product)[0] == 1.0


def test_a_pandas_table_comes_back_with_its_index(encode: Encode) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=pd.Index([7, 9], name="id"))

    product = encode(frame)

    assert (product.type, product.encoding) == ("table", "parquet")
    assert product.summary["rows"] == 2
    pd.testing.assert_frame_equal(decode(product), frame)


def test_a_pyarrow_table_comes_back_as_one(encode: Encode) -> None:
    table = pa.table({"a": [1, 2, None]})

    assert decode(encode(table)).equals(table)


def test_a_table_with_mixed_values_is_refused(encode: Encode) -> None:
    assert "pyarrow refuses it" in refusal(encode, pd.DataFrame({"a": [1, "x", object()]}))


MODELS = [
    make_pipeline(StandardScaler(), LogisticRegression()),
    RandomForestClassifier(n_estimators=5, random_state=0),
    HistGradientBoostingClassifier(max_iter=5),
    KNeighborsClassifier(),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_fitted_models_predict_the_same_after_a_round_trip(encode: Encode, model: Any) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 4)), rng.integers(0, 2, size=60)
    model.fit(x, y)

    product = encode(model)

    assert (product.type, product.encoding) == ("model", "skops")
    assert product.summary["features"] == 4
    assert np.array_equal(decode(product).predict(x), model.predict(x))


def test_the_same_model_has_the_same_bytes(encode: Encode) -> None:
    def bytes_of_a_fresh_model() -> bytes:
        x, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
        product = encode(make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0)).fit(x, y))
        assert product.file is not None
        return product.file.read_bytes()

    assert bytes_of_a_fresh_model() == bytes_of_a_fresh_model()


def test_images_are_png(encode: Encode) -> None:
    image = PIL.Image.new("RGB", (4, 3), "red")

    product = encode(image)

    assert (product.type, product.encoding, product.filename) == ("image", "png", "output.png")
    assert product.preview["thumbnail"]
    assert product.summary == {"width": 4, "height": 3, "mode": "RGB"}
    assert decode(product).tobytes() == image.tobytes()


def test_a_file_comes_back_as_a_copy_under_its_name(encode: Encode, tmp_path: Path) -> None:
    source = tmp_path / "report.csv"
    source.write_text("a,b\n")

    product = encode(source)
    copy = decode(product)
    copy.write_text("changed")

    assert (product.type, product.filename, copy.name) == ("file", "report.csv", "report.csv")
    assert decode(product).read_text() == "a,b\n"


def test_pickle_needs_to_be_asked_for(encode: Encode) -> None:
    assert "@fl.step(allow_pickle=True)" in refusal(encode, {1, 2})

    product = encode({1, 2}, allow_pickle=True)

    assert product.encoding == "pickle"
    assert decode(product, allow_pickle=True) == {1, 2}
    with pytest.raises(StepError, match="only a step with"):
        decode(product)


def test_a_safe_format_goes_before_pickle(encode: Encode) -> None:
    assert encode(np.zeros(3), allow_pickle=True).encoding == "npy"


def test_what_not_even_pickle_takes_is_refused(encode: Encode) -> None:
    assert "not even pickle takes it" in refusal(encode, threading.Lock(), allow_pickle=True)


def test_bytes_that_are_not_what_they_say_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"nonsense")

    for encoding in ("npy", "parquet", "skops", "png", "json", "fortran"):
        with pytest.raises(StepError) as refused:
            codecs.decode("data", Given(file=str(tmp_path / "bad"), encoding=encoding), allow_pickle=False)
        assert refused.value.failure.reason == "INPUT_NOT_READABLE"
        assert "input data" in refused.value.failure.message


def test_an_array_file_with_a_pickle_inside_is_not_loaded(tmp_path: Path) -> None:
    content = io.BytesIO()
    np.save(content, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "evil").write_bytes(content.getvalue())

    with pytest.raises(StepError, match="Object arrays cannot be loaded"):
        codecs.decode("data", Given(file=str(tmp_path / "evil"), encoding="npy"), allow_pickle=False)


def test_a_pickle_named_as_something_else_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "evil").write_bytes(pickle.dumps(print))

    with pytest.raises(StepError):
        codecs.decode("data", Given(file=str(tmp_path / "evil"), encoding="npy"), allow_pickle=False)
