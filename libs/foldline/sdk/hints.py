"""From Python annotations to the types that flow between steps.

Types of libraries are recognised by module and name, never by importing them: the platform checks and
releases workflows whose libraries it does not have. Annotations may be text (`from __future__ import
annotations`) and name what is imported under `if TYPE_CHECKING:`; such names are looked up in the module's
own import statements.

Standard library alone: step processes import it.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

_BY_NAME = {
    "numpy.ndarray": "array",
    "numpy.typing.NDArray": "array",
    "numpy.typing.ArrayLike": "array",
    "pandas.DataFrame": "table",
    "polars.DataFrame": "table",
    "pyarrow.Table": "table",
    "torch.Tensor": "array",
    "sklearn.base.BaseEstimator": "model",
    "lightgbm.Booster": "model",
    "xgboost.Booster": "model",
    "xgboost.XGBModel": "model",
    "onnx.ModelProto": "model",
    "pydantic.BaseModel": "json",
    "PIL.Image.Image": "image",
    "matplotlib.figure.Figure": "image",
    "pathlib.Path": "file",
    "pathlib.PurePath": "file",
    "foldline.File": "file",
    "foldline.Image": "image",
}
_PLAIN: dict[object, str] = {
    int: "int",
    float: "float",
    str: "str",
    bool: "bool",
    list: "json",
    dict: "json",
    tuple: "json",
}
_UNION = (typing.Union, types.UnionType)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a step's return annotation declares. `is_record`: the fields come from a class of named fields."""

    fields: tuple[tuple[str, str], ...]
    is_record: bool = False


def of(function: Callable[..., object]) -> dict[str, object]:
    """Annotations of `function` by name; text that cannot be evaluated as the dotted name it stands for."""
    namespace = {**vars(sys.modules.get(function.__module__) or types), **function.__globals__}
    return {name: _resolve(value, function, namespace) for name, value in function.__annotations__.items()}


def type_of(annotation: object) -> str:
    """The value type of an annotation; "any" for what is not known."""
    annotation = _bare(annotation)
    if annotation in (Any, object, inspect.Parameter.empty, None):
        return "any"
    if typing.get_origin(annotation) is typing.Literal:
        return _common({type_of(type(value)) for value in typing.get_args(annotation)})
    if typing.get_origin(annotation) in _UNION:
        members = [member for member in typing.get_args(annotation) if member is not type(None)]
        kind = _common({type_of(member) for member in members})
        # None is no value of a scalar type, but JSON has it.
        return kind if kind == "json" or len(members) == len(typing.get_args(annotation)) else "any"
    origin = typing.get_origin(annotation) or annotation
    if origin is dict and (inner := typing.get_args(annotation)) and type_of(inner[1]) == "array":
        return "array"  # arrays by name
    if isinstance(origin, typing.ForwardRef):
        origin = origin.__forward_arg__
    if isinstance(origin, str):
        return _by_name(origin)
    if origin in _PLAIN:
        return _PLAIN[origin]
    return _by_class(origin) if isinstance(origin, type) else "any"


def input_type_of(annotation: object) -> str:
    """Like `type_of`, for a step's input: an optional input takes what it takes besides None."""
    annotation = _bare(annotation)
    if typing.get_origin(annotation) in _UNION:
        members = [member for member in typing.get_args(annotation) if member is not type(None)]
        return _common({type_of(member) for member in members})
    return type_of(annotation)


def outputs_of(annotation: object) -> Outputs:
    """The outputs that a return annotation declares."""
    annotation = _bare(annotation)
    if annotation is None or annotation is type(None):
        return Outputs(())
    # Where nobody registered a codec, the module need not be loaded for it.
    authored = sys.modules.get("foldline.runtime.codecs.authored")
    is_whole = isinstance(annotation, type) and authored is not None and authored.has_codec(annotation)
    if isinstance(annotation, type) and not is_whole and (fields := fields_of(annotation)) is not None:
        return Outputs(tuple((name, type_of(kind)) for name, kind in fields), is_record=True)
    return Outputs((("output", type_of(annotation)),))


def _bare(annotation: object) -> object:
    while typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    return annotation


def fields_of(record: type) -> Iterator[tuple[str, object]] | None:
    """Names and annotations of a NamedTuple, dataclass or TypedDict; None for any other class."""
    names: list[str] | None = None
    if issubclass(record, tuple) and hasattr(record, "_fields"):
        names = list(record._fields)
    elif dataclasses.is_dataclass(record):
        names = [one.name for one in dataclasses.fields(record)]
    elif typing.is_typeddict(record):
        names = list(record.__annotations__)
    if names is None:
        return None
    namespace = dict(vars(sys.modules.get(record.__module__) or types))
    found: dict[str, object] = {}
    for base in reversed(record.__mro__):
        found.update(inspect.get_annotations(base))
    return ((name, _resolve(found.get(name, Any), record, namespace)) for name in names)


def _common(kinds: set[str]) -> str:
    if len(kinds) == 1:
        return kinds.pop()
    if kinds == {"int", "float"}:
        return "float"
    return "json" if kinds and kinds <= {"int", "float", "str", "bool", "json"} else "any"


def _by_class(kind: type) -> str:
    if kind is type(None):
        return "any"
    for base in kind.__mro__[:-1]:
        if base in _PLAIN and base is not kind:
            return _PLAIN[base] if base is not tuple else "any"
        found = _by_name(f"{base.__module__}.{base.__qualname__}")
        if found != "any":
            return found
    return "json" if typing.is_typeddict(kind) else "any"


def _by_name(dotted: str) -> str:
    """Libraries move classes between private modules (pandas.core.frame.DataFrame): head and tail decide."""
    head, _, tail = dotted.partition(".")
    last = tail.rpartition(".")[2]
    if head == "sklearn" and last[:1].isupper():
        return "model"
    for name, kind in _BY_NAME.items():
        known_head, _, known_tail = name.partition(".")
        if head == known_head and last == known_tail.rpartition(".")[2]:
            return kind
    return "any"


def _resolve(annotation: object, owner: Callable[..., object] | type, namespace: dict[str, object]) -> object:
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, namespace)  # noqa: S307  # the author's own annotation, as Python would
    except (NameError, AttributeError, TypeError, SyntaxError):
        return _dotted(annotation, _imports(owner.__module__))


def _dotted(text: str, imports: dict[str, str]) -> object:
    """`np.ndarray` as "numpy.ndarray" by the module's imports; subscripts are dropped."""
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return Any
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = (_dotted(ast.unparse(side), imports) for side in (node.left, node.right))
        kinds = [type(None) if side in (None, "None") else side for side in sides]
        return typing.Union[tuple(typing.ForwardRef(k) if isinstance(k, str) else k for k in kinds)]  # noqa: UP007
    while isinstance(node, ast.Subscript):
        node = node.value
    name = ast.unparse(node)
    head, dot, tail = name.partition(".")
    return f"{imports.get(head, head)}{dot}{tail}"


@functools.cache
def _imports(module: str) -> dict[str, str]:
    """Local name -> dotted name, for every import statement of the module's source, wherever it stands."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (KeyError, OSError, TypeError, SyntaxError):
        return {}
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                head = alias.name.partition(".")[0]
                found[alias.asname or head] = alias.name if alias.asname else head
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found
