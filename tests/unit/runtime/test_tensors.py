"""Named arrays and tensors as safetensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.unit.runtime.coding import Encode, _in_a_work_folder, decode, encode, refusal, unreadable

from foldline.runtime.jobs import Product

__all__ = ["_in_a_work_folder", "encode"]

SAME_FOLDER = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)
NUMBERS = arrays.arrays(
    dtype=st.one_of(arrays.floating_dtypes(endianness="<"), arrays.integer_dtypes(endianness="<")),
    shape=arrays.array_shapes(min_dims=0, min_side=0, max_dims=3),
)


@SAME_FOLDER
@given(value=st.dictionaries(st.text(min_size=1, max_size=5), NUMBERS, min_size=1, max_size=4))
def test_named_arrays_come_back_equal(encode: Encode, value: dict[str, np.ndarray]) -> None:
    product = encode(value)

    assert (product.type, product.encoding) == ("array", "safetensors")
    back = decode(product)
    assert back.keys() == value.keys()
    for name, array in value.items():
        assert back[name].dtype == array.dtype
        assert back[name].shape == array.shape
        assert np.array_equal(back[name], array, equal_nan=True)


def test_the_same_arrays_have_the_same_bytes(encode: Encode) -> None:
    a, b = np.arange(3.0), np.arange(4)

    first = encode({"a": a, "b": b}).file
    assert first is not None
    content = first.read_bytes()
    second = encode({"b": b, "a": a}).file

    assert second is not None
    assert second.read_bytes() == content


def test_a_view_that_is_not_contiguous_is_stored_right(encode: Encode) -> None:
    view = np.arange(12).reshape(3, 4).T[1:]

    assert np.array_equal(decode(encode({"view": view}))["view"], view)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": np.array(["x"])}, "its part a is of dtype <U1; safetensors hold plain numbers"),
        ({"a": np.array([object()])}, "its part a is of dtype object"),
        ({1: np.zeros(2)}, "the names of its arrays must be str"),
        ({"a": np.zeros(2), "b": 1}, "its part a is a numpy.ndarray, which is not JSON"),
    ],
)
def test_what_is_no_dict_of_plain_arrays_is_refused(encode: Encode, value: object, message: str) -> None:
    assert message in refusal(encode, value)


def test_a_plain_dict_annotation_does_not_take_arrays(encode: Encode) -> None:
    assert "declared json but is array" in refusal(encode, {"a": np.zeros(2)}, "json")


def test_a_header_longer_than_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes((2**60).to_bytes(8, "little") + b"{}")

    said = unreadable(Product(type="array", encoding="safetensors", file=tmp_path / "bad"))

    assert "its header is longer than the file" in said


def test_the_preview_measures_each_array(encode: Encode) -> None:
    preview = encode({"w": np.array([1.0, np.nan, 3.0])}).preview

    assert preview["count"] == 1
    [shown] = preview["arrays"]
    assert (shown["name"], shown["shape"], shown["nan"], shown["mean"]) == ("w", [3], 1, 2.0)


def test_a_state_dict_of_torch_comes_back_as_tensors(encode: Encode) -> None:
    torch = pytest.importorskip("torch", reason="torch is not among the packages of the tests")
    model = torch.nn.Linear(3, 2)
    state = {**model.state_dict(), "tied": model.weight, "half": torch.ones(2, dtype=torch.bfloat16)}

    product = encode(state)

    back = decode(product)
    assert product.preview["library"] == "torch"
    assert all(torch.equal(back[name], tensor) for name, tensor in state.items())
    assert torch.equal(decode(encode(torch.arange(3))), torch.arange(3))
    assert "return module.state_dict()" in refusal(encode, model)
