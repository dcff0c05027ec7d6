"""The types of values that flow between steps, and which fits where."""

from __future__ import annotations

from foldline.domain.spec import Json

#: What a place of the first type takes besides itself. "any" takes and fits everything.
_ALSO_TAKES = {
    "float": frozenset({"int"}),
    "json": frozenset({"int", "float", "str", "bool", "list"}),
}


def accepts(wanted: str, actual: str) -> bool:
    """Does a place that wants `wanted` take a value of type `actual`?"""
    return "any" in (wanted, actual) or wanted == actual or actual in _ALSO_TAKES.get(wanted, frozenset())


def type_of_value(value: Json) -> str:
    """The narrowest type name of a JSON value; None is "any"."""
    if value is None:
        return "any"
    if isinstance(value, bool):
        return "bool"
    for kind, name in ((int, "int"), (float, "float"), (str, "str")):
        if isinstance(value, kind):
            return name
    return "json"
