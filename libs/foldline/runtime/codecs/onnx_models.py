"""ONNX models: the graph and its weights in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foldline.runtime.codecs import previews
from foldline.runtime.codecs.port import NotStorable, Written, is_a, reader

_EXTERNAL = 1
"""TensorProto.EXTERNAL."""


class OnnxCodec:
    encoding = "onnx"
    type = "model"

    def takes(self, value: object) -> bool:
        return is_a(value, "onnx", "ModelProto")

    def write(self, value: Any, target: Path) -> Written:
        outside = [one.name for one in value.graph.initializer if one.data_location == _EXTERNAL]
        if outside:
            raise NotStorable(
                f"its weights {', '.join(outside[:3])} lie in other files; load them into the model"
            )
        try:
            target.write_bytes(value.SerializeToString(deterministic=True))
        except ValueError as error:
            raise NotStorable(f"ONNX takes at most 2 GiB in one file: {error}") from error
        facts = {"inputs": len(value.graph.input), "outputs": len(value.graph.output)}
        return Written(
            facts,
            preview=lambda: {
                "kind": "model",
                "library": "onnx",
                "inputs": [_place(one) for one in value.graph.input],
                "outputs": [_place(one) for one in value.graph.output],
                "operators": sorted({node.op_type for node in value.graph.node}),
                "parameters": previews.named(
                    {
                        "producer": value.producer_name,
                        "ir_version": value.ir_version,
                        **{f"opset {one.domain or 'ai.onnx'}": one.version for one in value.opset_import},
                    }
                ),
            },
        )

    def read(self, path: Path, filename: str) -> object:
        """Weights in other files are not looked for."""
        del filename
        return reader("onnx", "onnx").load(path, format="protobuf", load_external_data=False)


def _place(one: Any) -> dict[str, Any]:
    kind = one.type.tensor_type
    shape = [size.dim_param or size.dim_value for size in kind.shape.dim]
    return {"name": one.name, "element": int(kind.elem_type), "shape": shape}
