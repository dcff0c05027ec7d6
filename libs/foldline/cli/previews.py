"""The preview of an artifact, for people. Nothing here decodes the artifact itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foldline.cli import views
from foldline.cli.output import Output

_TABLES = {
    "columns": ("column", "type", "nulls"),
    "arrays": ("array", "shape", "dtype", "min", "max", "mean"),
    "tree": ("path", "bytes"),
    "inputs": ("input", "element", "shape"),
    "outputs": ("output", "element", "shape"),
}
"""Parts that are lists of objects, by their name, with the columns of the table; the first is its "name"."""

_APART = {*_TABLES, "head", "text", "thumbnail", "parameters", "kind"}


def show(out: Output, artifact: Mapping[str, Any], preview: Mapping[str, Any]) -> None:
    """Facts first, then tables, then text."""
    facts = {
        "type": artifact.get("type", ""),
        "encoding": artifact.get("encoding", ""),
        "size": views.amount(int(artifact.get("size_bytes", 0))),
        "digest": artifact.get("digest", ""),
    }
    if "value" in artifact:
        facts["value"] = views.json_text(artifact["value"])
    shown = preview or artifact.get("summary", {})
    facts |= {name: _text(value) for name, value in shown.items() if name not in _APART}
    out.fields({name: value for name, value in facts.items() if value != ""})
    for name, columns in _TABLES.items():
        if rows := preview.get(name):
            _table(out, columns, [[_first(row), *(row.get(one) for one in columns[1:])] for row in rows])
    if parameters := preview.get("parameters"):
        _table(out, ("parameter", "value"), sorted(parameters.items()))
    if head := preview.get("head"):
        names = [str(column["name"]) for column in preview.get("columns", [])]
        _table(out, tuple(names[: len(head[0])]), head)
    if text := preview.get("text"):
        out.say()
        out.say(_plain(text))


def _first(row: Mapping[str, Any]) -> Any:
    return row.get("name", row.get("path"))


def _table(out: Output, columns: tuple[str, ...], rows: Any) -> None:
    out.say()
    out.table(columns, [tuple(_text(cell) for cell in row) for row in rows])


def _text(value: Any) -> str:
    """Numbers of a Struct are all floats; whole ones are shown as such."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 2**53 else f"{value:g}"
    if isinstance(value, list):
        return "×".join(map(_text, value)) if _is_shape(value) else ", ".join(map(_text, value))
    return _plain(value if isinstance(value, str) else views.json_text(value)).replace("\n", "⏎")


def _plain(text: str) -> str:
    """Without what would steer a terminal: the text is whatever a step made."""
    return "".join(one if one.isprintable() or one in "\n\t" else "·" for one in text)


def _is_shape(value: list[Any]) -> bool:
    return (
        all(isinstance(one, float | int) and not isinstance(one, bool) for one in value) and len(value) <= 8
    )
