"""Types from annotations, without importing what they name."""

from __future__ import annotations

import dataclasses
import sys
import types
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import pytest

from foldline.sdk import hints


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (int, "int"),
        (float, "float"),
        (str, "str"),
        (bool, "bool"),
        (list[int], "json"),
        (dict, "json"),
        (dict[str, float], "json"),
        (tuple[int, int], "json"),
        (Path, "file"),
        (Any, "any"),
        (object, "any"),
        (bytes, "any"),
        (Annotated[int, "count"], "int"),
        (Literal["a", "b"], "str"),
        (Literal[1, 2.5], "float"),
        (int | float, "float"),
        (int | None, "any"),
        (list[int] | None, "json"),
        (int | str, "json"),
    ],
)
def test_a_python_type_is_a_value_type(annotation: object, kind: str) -> None:
    assert hints.type_of(annotation) == kind


def test_arrays_by_name_are_arrays() -> None:
    array = type("ndarray", (), {"__module__": "numpy"})

    assert hints.type_of(dict[str, array]) == "array"  # type: ignore[valid-type]  # made just now
    assert hints.input_type_of(dict[str, array] | None) == "array"  # type: ignore[valid-type]
    assert hints.type_of(dict[str, Any]) == "json"


@pytest.mark.parametrize(
    ("dotted", "kind"),
    [
        ("numpy.ndarray", "array"),
        ("pandas.core.frame.DataFrame", "table"),
        ("pyarrow.lib.Table", "table"),
        ("polars.dataframe.frame.DataFrame", "table"),
        ("PIL.Image.Image", "image"),
        ("matplotlib.figure.Figure", "image"),
        ("sklearn.svm._classes.SVC", "model"),
        ("torch.nn.modules.module.Module", "any"),
        ("torch.Tensor", "array"),
        ("lightgbm.basic.Booster", "model"),
        ("xgboost.core.Booster", "model"),
        ("onnx.onnx_ml_pb2.ModelProto", "model"),
        ("pydantic.main.BaseModel", "json"),
    ],
)
def test_a_class_of_a_library_is_known_by_module_and_name(dotted: str, kind: str) -> None:
    module, _, name = dotted.rpartition(".")
    found = type(name, (), {"__module__": module})

    assert hints.type_of(found) == kind
    assert hints.type_of(type("Mine", (found,), {"__module__": "mine"})) == kind


def test_an_optional_input_takes_what_it_takes_besides_none() -> None:
    assert hints.input_type_of(int | None) == "int"


def module_of(source: str, tmp_path: Path) -> types.ModuleType:
    """A module from source, in a file that annotations can be looked up in."""
    file = tmp_path / "written.py"
    file.write_text(source)
    module = types.ModuleType("written")
    module.__file__ = str(file)
    sys.modules["written"] = module
    exec(compile(source, file, "exec"), vars(module))
    return module


def test_names_imported_for_type_checking_alone_are_looked_up_in_the_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "written", types.ModuleType("written"))
    hints._imports.cache_clear()
    module = module_of(
        """
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import no_such.deep as nd
    import numpy as np
    from numpy.typing import NDArray as Numbers
    from PIL import Image
    from sklearn.pipeline import Pipeline

def step(a: np.ndarray, b: Numbers[np.float64], c: Pipeline | None, d: nd.Thing, e: Image.Image) -> int: ...
""",
        tmp_path,
    )

    found = {name: hints.input_type_of(kind) for name, kind in hints.of(module.step).items()}

    assert found == {"a": "array", "b": "array", "c": "model", "d": "any", "e": "image", "return": "int"}
    hints._imports.cache_clear()


class Pair(NamedTuple):
    number: int
    text: str


@dataclasses.dataclass
class Point:
    x: float
    label: str = ""


class Words(TypedDict):
    words: list[str]


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        (Pair, (("number", "int"), ("text", "str"))),
        (Point, (("x", "float"), ("label", "str"))),
        (Words, (("words", "json"),)),
    ],
)
def test_a_class_of_named_fields_is_several_outputs(record: type, fields: object) -> None:
    assert hints.outputs_of(record) == hints.Outputs(fields, is_record=True)  # type: ignore[arg-type]


def test_nothing_returned_is_no_output_and_no_annotation_is_any() -> None:
    assert hints.outputs_of(None) == hints.Outputs(())
    assert hints.outputs_of(Any) == hints.Outputs((("output", "any"),))
