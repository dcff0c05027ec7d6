"""numpy arrays as .npy, never with pickled objects inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foldline.runtime.codecs import previews
from foldline.runtime.codecs.port import NotStorable, Written, is_a, reader

MAPPED_FROM_BYTES = 16 * 1024 * 1024
"""Larger arrays are mapped instead of read; what a step writes into one stays in its own memory."""

MEASURED = 16 * 1024 * 1024
"""Of so many elements all are measured, of more a part evenly spread."""

_SHOWN = 10


class ArrayCodec:
    encoding = "npy"
    type = "array"

    def takes(self, value: object) -> bool:
        return is_a(value, "numpy", "ndarray")

    def write(self, value: Any, target: Path) -> Written:
        import numpy as np

        if value.dtype.hasobject:
            raise NotStorable("its dtype is object; give it a dtype of numbers or of fixed text (astype)")
        if is_a(value, "numpy", "MaskedArray"):
            raise NotStorable("the mask of a masked array would be lost; fill it (filled) first")
        with target.open("wb") as file:
            np.save(file, value, allow_pickle=False)
        return Written(facts(value), preview=lambda: {"kind": "array", **facts(value), **measured(value)})

    def read(self, path: Path, filename: str) -> object:
        np = reader("numpy", "numpy")
        del filename
        is_large = path.stat().st_size >= MAPPED_FROM_BYTES
        return np.load(path, allow_pickle=False, mmap_mode="c" if is_large else None)


def facts(array: Any) -> dict[str, Any]:
    """The schema of an array."""
    return {"shape": list(array.shape), "dtype": str(array.dtype), "bytes": int(array.nbytes)}


def measured(array: Any) -> dict[str, Any]:
    """The least, greatest and mean element, and the first few. Of text and records only these."""
    found: dict[str, Any] = {"first": previews.cells(array.flat[:_SHOWN])}
    if array.dtype.kind not in "biuf" or array.size == 0:
        return found
    part = array
    if array.size > MEASURED:
        if not (array.flags.c_contiguous or array.flags.f_contiguous):
            return found
        part = array.ravel(order="K")[:: -(-array.size // MEASURED)]
        found["measured"] = int(part.size)
    if array.dtype.kind == "f":
        is_number = part == part
        found["nan"] = int(part.size - is_number.sum())
        if found["nan"]:
            part = part[is_number]
    if part.size:
        found |= {
            "min": previews.cell(part.min()),
            "max": previews.cell(part.max()),
            "mean": previews.cell(part.mean(dtype="float64")),
        }
    return found
