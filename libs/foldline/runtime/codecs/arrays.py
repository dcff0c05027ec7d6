"""numpy arrays as .npy, never with pickled objects inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foldline.runtime.codecs.port import NotStorable, Written, is_a

MAPPED_FROM_BYTES = 16 * 1024 * 1024
"""Larger arrays are mapped instead of read; what a step writes into one stays in its own memory."""


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
        return Written({"shape": list(value.shape), "dtype": str(value.dtype), "bytes": int(value.nbytes)})

    def read(self, path: Path, filename: str) -> object:
        import numpy as np

        del filename
        is_large = path.stat().st_size >= MAPPED_FROM_BYTES
        return np.load(path, allow_pickle=False, mmap_mode="c" if is_large else None)
