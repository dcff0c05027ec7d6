"""JSON values, and what is plainly one: dataclasses, pydantic models, NamedTuples, tuples, numpy scalars."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from foldline.runtime.codecs import previews
from foldline.runtime.codecs.port import NotStorable, Written, is_a, type_name

PLAIN = frozenset({type(None), bool, int, float, str, list, tuple})
"""Types that are JSON by themselves, subclasses not included; a dict may be one of arrays."""

_SCALARS = {bool: "bool", int: "int", float: "float", str: "str"}
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class JsonCodec:
    """Reads large JSON values; writing goes through `dump`."""

    encoding = "json"
    type = "json"

    def takes(self, value: object) -> bool:
        del value
        return False

    def write(self, value: Any, target: Path) -> Written:
        target.write_text(dump(value)[0], encoding="utf-8")
        return Written()

    def read(self, path: Path, filename: str) -> object:
        del filename
        return json.loads(path.read_bytes())


def dump(value: object) -> tuple[str, str]:
    """The text of a value and its type name. Raises NotStorable, saying which part is not JSON."""
    try:
        plain = _plain(value, "")
        text = _encode(plain)
        text.encode()
    except RecursionError as error:
        raise NotStorable("it is nested too deeply, or contains itself") from error
    except UnicodeEncodeError as error:
        raise NotStorable("it contains text with half a surrogate pair, which is no Unicode") from error
    return text, _SCALARS.get(type(plain), "json")


def scalar(value: object) -> tuple[str, str] | None:
    """What `dump` gives for None, a bool or an int, by the shortest way; None for everything else."""
    if value is None:
        return "null", "json"
    if value is True or value is False:
        return "true" if value else "false", "bool"
    return (repr(value), "int") if type(value) is int else None


def describe(value: object) -> dict[str, Any]:
    """Small facts about a large value."""
    return {"length": len(value)} if isinstance(value, list | tuple | dict | str) else {}


def preview(value: object, text: str) -> dict[str, Any]:
    """The beginning of a large value, and its keys."""
    found: dict[str, Any] = {"kind": "json", **describe(value), "text": text[: previews.LONGEST_TEXT]}
    if isinstance(value, dict):
        found["keys"] = previews.cells(value)
    return found


def _plain(value: Any, path: str) -> Any:
    """The value in JSON's own types. Subclasses of str, int and the like lose their class."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _finite(float(value), path)
    if isinstance(value, dict):
        return {_key(key, path): _plain(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: _plain(getattr(value, name), f"{path}.{name}") for name in value._fields}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: _plain(getattr(value, name), f"{path}.{name}") for name in names}
    if is_a(value, "pydantic", "BaseModel") and not isinstance(value, type):
        return _plain(value.model_dump(mode="json"), path)
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        return _plain(value.item(), path) if type(value.item()) is not type(value) else _refuse(value, path)
    return _refuse(value, path)


def _key(key: object, path: str) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    where = f" of {path.lstrip('.')}" if path else ""
    raise NotStorable(f"key {key!r}{where} is of type {type_name(key)}; JSON keys are str")


def _finite(number: float, path: str) -> float:
    if math.isfinite(number):
        return number
    where = f"its part {path.lstrip('.')}" if path else "it"
    raise NotStorable(f"{where} is {number}, which JSON does not have; use None, or a numpy array")


def _refuse(value: object, path: str) -> Any:
    if not path:
        raise NotStorable("there is no safe format for this type")
    raise NotStorable(f"its part {path.lstrip('.')} is a {type_name(value)}, which is not JSON")
