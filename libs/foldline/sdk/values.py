"""Parameter values as people type them: `--set name=value` and files of values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.spec import Json, Parameter


def parse(settings: Iterable[str], parameters: Sequence[Parameter]) -> dict[str, Json]:
    """`name=value` texts as values. Text of a str parameter is taken as it is, everything else is JSON.

    Whether the values fit is not checked here: a name that is no parameter keeps its text, and is refused by
    name later. Raises INVALID where a text is no setting or no JSON.
    """
    types = {parameter.name: parameter.type for parameter in parameters}
    values: dict[str, Json] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name:
            raise _invalid("ILLEGAL_SETTING", f"{setting!r} is not of the form name=value")
        values[name] = _value(name, text, types.get(name, "str"))
    return values


def read(file: Path) -> dict[str, Json]:
    """The JSON object in `file`."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Json])
    except (OSError, msgspec.MsgspecError) as error:
        raise _invalid("VALUES_UNREADABLE", f"{file}: {error}") from error


def merged(settings: Iterable[str], file: Path | None, parameters: Sequence[Parameter]) -> Mapping[str, Json]:
    """Values of the file with the settings over them."""
    return {**(read(file) if file else {}), **parse(settings, parameters)}


def _value(name: str, text: str, kind: str) -> Json:
    if kind == "str":
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        if kind == "json":
            hint = f'; a text is written in quotes: {name}="{text}"'
        else:
            hint = {"bool": ", write true or false"}.get(kind, "")
        message = f"parameter {name} is of type {kind}, but {text!r} is not JSON{hint}"
        raise _invalid("VALUE_NOT_JSON", message) from error


def _invalid(reason: str, message: str) -> FoldlineError:
    return FoldlineError(Kind.INVALID, reason, message)
