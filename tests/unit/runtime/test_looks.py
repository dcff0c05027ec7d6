"""What is shown of files that programs left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet
import pytest

from foldline.runtime.codecs import looks


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_the_shape_of_an_array(tmp_path: Path, version: tuple[int, int]) -> None:
    path = tmp_path / "array.npy"
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.zeros((3, 4), dtype="float32"), version=version)

    assert looks.look("npy", path, with_libraries=False) == {
        "kind": "array",
        "shape": [3, 4],
        "dtype": "float32",
        "bytes": 48,
    }


@pytest.mark.parametrize("dtype", ["bool", "int64", ">u2", "complex128", "U7", [("a", "<i4"), ("b", "<f8")]])
def test_every_kind_of_element_has_a_name(tmp_path: Path, dtype: object) -> None:
    np.save(path := tmp_path / "array.npy", np.zeros(2, dtype=dtype))  # type: ignore[call-overload]

    found = looks.look("npy", path, with_libraries=False)

    assert found["shape"] == [2]
    assert found["dtype"] in (np.dtype(dtype).name, str(np.lib.format.dtype_to_descr(np.dtype(dtype))))  # type: ignore[call-overload]


def test_the_size_of_a_picture(tmp_path: Path) -> None:
    PIL.Image.new("L", (30, 20)).save(path := tmp_path / "picture.png")

    assert looks.look("png", path, with_libraries=False) == {"kind": "image", "width": 30, "height": 20}


def test_columns_and_first_rows_of_a_table(tmp_path: Path) -> None:
    table = pa.table({"number": list(range(100)), "word": [None, *(["x"] * 99)]})
    pyarrow.parquet.write_table(table, path := tmp_path / "table.parquet", row_group_size=30)

    found = looks.look("parquet", path, with_libraries=True)

    assert (found["kind"], found["rows"], found["column_count"]) == ("table", 100, 2)
    assert found["columns"] == [
        {"name": "number", "type": "int64", "nulls": 0},
        {"name": "word", "type": "string", "nulls": 1},
    ]
    assert found["head"][:2] == [[0, None], [1, "x"]]


def test_no_library_looks_at_a_table_outside_of_the_step(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pa.table({"a": [1]}), path := tmp_path / "table.parquet")

    assert looks.look("parquet", path, with_libraries=False) == {}


@pytest.mark.parametrize("encoding", ["npy", "png", "parquet"])
def test_a_file_that_is_broken_inside_says_so(tmp_path: Path, encoding: str) -> None:
    (path := tmp_path / "broken").write_bytes(b"PAR1")

    found = looks.look(encoding, path, with_libraries=True)

    assert found["kind"] == "none"
    assert found["problem"]
