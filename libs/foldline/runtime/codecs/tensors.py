"""Named collections of arrays, and torch's tensors, as safetensors: numbers and their names, nothing else.

A dict of numpy arrays comes back as one; a tensor, or a dict of tensors such as a state dict, comes back in
torch's own. The file's own header says which; it names no class.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from foldline.runtime.codecs import arrays
from foldline.runtime.codecs.port import NotStorable, Written, is_a, reader, writer

_SINGLE = "tensor"
"""The name of a tensor that is not in a dict."""

_SHOWN = 50


class TensorCodec:
    encoding = "safetensors"
    type = "array"

    def takes(self, value: object) -> bool:
        if is_a(value, "torch", "Tensor", "Module"):
            return True
        if not isinstance(value, dict) or not value:
            return False
        of_numpy = all(is_a(item, "numpy", "ndarray") for item in value.values())
        return of_numpy or all(is_a(item, "torch", "Tensor") for item in value.values())

    def write(self, value: Any, target: Path) -> Written:
        if is_a(value, "torch", "Module"):
            raise NotStorable("the class of a torch module cannot be stored; return module.state_dict()")
        named = value if isinstance(value, dict) else {_SINGLE: value}
        if not all(isinstance(name, str) for name in named):
            raise NotStorable("the names of its arrays must be str")
        first = next(iter(named.values()))
        header = {"library": "torch" if is_a(first, "torch", "Tensor") else "numpy"}
        if named is not value:
            header["single"] = "yes"
        if header["library"] == "torch":
            return _write_torch(named, header, target)
        return _write_numpy(named, header, target)

    def read(self, path: Path, filename: str) -> object:
        del filename
        header = _header(path)
        library = "torch" if header.get("library") == "torch" else "numpy"
        reader(library, library)
        found = reader(f"safetensors.{library}", "safetensors").load_file(path)
        return found[_SINGLE] if header.get("single") else found


def _write_numpy(named: dict[str, Any], header: dict[str, str], target: Path) -> Written:
    saver = writer("safetensors.numpy", "safetensors", "dicts of arrays")
    for name, array in named.items():
        if array.dtype.kind not in "biuf" or is_a(array, "numpy", "MaskedArray"):
            raise NotStorable(f"its part {name} is of dtype {array.dtype}; safetensors hold plain numbers")
    import numpy as np

    saver.save_file(
        {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in named.items()},
        target,
        metadata=header,
    )
    return Written(
        {"arrays": len(named)},
        preview=lambda: {
            "kind": "arrays",
            "library": "numpy",
            "count": len(named),
            "arrays": [
                {"name": name, **arrays.facts(array), **arrays.measured(array)}
                for name, array in list(named.items())[:_SHOWN]
            ],
        },
    )


def _write_torch(named: dict[str, Any], header: dict[str, str], target: Path) -> Written:
    saver = writer("safetensors.torch", "safetensors", "tensors")
    # Tied weights share their memory, which the format refuses: each name gets its own.
    plain = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in named.items()}
    try:
        saver.save_file(plain, target, metadata=header)
    except (ValueError, RuntimeError, KeyError) as error:
        raise NotStorable(f"safetensors refuse it: {error}") from error
    return Written(
        {"arrays": len(named), "elements": sum(tensor.numel() for tensor in plain.values())},
        preview=lambda: {
            "kind": "arrays",
            "library": "torch",
            "count": len(named),
            "arrays": [
                {
                    "name": name,
                    "shape": list(tensor.shape),
                    "dtype": str(tensor.dtype).removeprefix("torch."),
                }
                for name, tensor in list(plain.items())[:_SHOWN]
            ],
        },
    )


def _header(path: Path) -> dict[str, Any]:
    """What `write` left besides the tensors: a file begins with its header's length, then JSON."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError("its header is longer than the file")
        found = json.loads(file.read(length)).get("__metadata__", {})
    return found if isinstance(found, dict) else {}
