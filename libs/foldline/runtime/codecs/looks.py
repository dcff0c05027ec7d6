"""Previews of files that are outputs as they are: what their heads say, without the values.

A file of a program's may be anything. Heads of .npy and PNG are read with the standard library alone; of
Parquet with pyarrow, where the step's environment has it and the process that looks is the step's own.
"""

from __future__ import annotations

import ast
import math
import re
import struct
from pathlib import Path
from typing import Any

from foldline.runtime.codecs import previews
from foldline.runtime.failures import class_name

_HEAD_BYTES = 64 * 1024
_DTYPE = re.compile(r"[<>|=]?([a-zA-Z])(\d*)")
_NAMES = {"f": "float", "i": "int", "u": "uint", "c": "complex", "b": "bool"}


def look(encoding: str, path: Path, *, with_libraries: bool) -> dict[str, Any]:
    """Nothing where nothing can be said; a file that is broken inside is an output all the same."""
    try:
        match encoding:
            case "npy":
                return previews.bounded({"kind": "array", **_array(path)})
            case "png":
                return {"kind": "image", **_image(path)}
            case "parquet" if with_libraries:
                return previews.bounded(_table(path))
    except ImportError:
        return {}
    except Exception as error:  # noqa: BLE001 - of libraries, about a file that may be anything
        return {"kind": "none", "problem": f"{class_name(error)}: {error}"[: previews.LONGEST_TEXT]}
    return {}


def _array(path: Path) -> dict[str, Any]:
    """Shape and dtype from the head, a literal of Python in every version of the format."""
    with path.open("rb") as file:
        beginning = file.read(12)
        is_long = beginning[6] >= 2
        start, (size,) = (
            (12, struct.unpack_from("<I", beginning, 8))
            if is_long
            else (10, struct.unpack_from("<H", beginning, 8))
        )
        if size > _HEAD_BYTES:
            raise ValueError(f"its head has {size} bytes")
        file.seek(start)
        head = ast.literal_eval(file.read(size).decode("utf-8" if beginning[6] >= 3 else "latin-1"))
    shape = [int(length) for length in head["shape"]]
    dtype = head["descr"]
    found: dict[str, Any] = {"shape": shape, "dtype": str(dtype)}
    if isinstance(dtype, str) and (parts := _DTYPE.fullmatch(dtype)) and parts[1] in _NAMES:
        width = int(parts[2] or 1)
        name = _NAMES[parts[1]]
        found["dtype"] = name if name == "bool" else f"{name}{8 * width}"
        found["bytes"] = width * math.prod(shape)
    return found


def _image(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        width, height = struct.unpack_from(">II", file.read(24), 16)
    return {"width": width, "height": height}


def _table(path: Path) -> dict[str, Any]:
    """Columns, rows, empty cells as far as the file has counted them, and the first rows."""
    import pyarrow.parquet

    from foldline.runtime.codecs import tables

    with pyarrow.parquet.ParquetFile(path) as file:
        types = {field.name: str(field.type) for field in file.schema_arrow}
        shown = list(types)[: previews.COLUMNS]
        head = next(file.iter_batches(previews.ROWS, columns=shown), None)
        rows = [] if head is None else zip(*(column.to_pylist() for column in head.columns), strict=True)
        return tables.preview_of(
            types, [_nulls(file.metadata, name) for name in shown], file.metadata.num_rows, rows
        )


def _nulls(metadata: Any, name: str) -> int | None:
    """Of a column that is no structure; None where its writer has not counted."""
    total = 0
    for group in range(metadata.num_row_groups):
        columns = (metadata.row_group(group).column(one) for one in range(metadata.num_columns))
        statistics = next((one.statistics for one in columns if one.path_in_schema == name), None)
        if statistics is None or not statistics.has_null_count:
            return None
        total += statistics.null_count
    return total
