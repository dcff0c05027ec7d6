"""Which steps somebody means who wants a part of a workflow, read from its declaration beside the core."""

from __future__ import annotations

import msgspec
from msgspec import UNSET
from msgspec.structs import replace
from tests.unit.domain.strategies import Choice

from foldline.domain.spec import Graph, Step


def chosen(graph: Graph, choice: Choice) -> set[str]:
    """The names; of `only` and a scene these alone, with `from` and `until` the handlers come along."""
    before = {step.name: _before(step, graph) for step in graph.steps}
    found = set(before)
    for name in (*choice.only, *choice.from_, *choice.until):
        assert name in before
    only = {*choice.only, *(name for scene in graph.scenes for name in scene.steps if choice.scene)}
    if only:
        found &= only
    handlers = {step.name for step in graph.steps if step.handles}
    if choice.from_:
        found &= {one for one in before if _reaches(one, set(choice.from_), before)} | handlers
    if choice.until:
        found &= {
            one for one in before if any(_reaches(end, {one}, before) for end in choice.until)
        } | handlers
    return found


def _before(step: Step, graph: Graph) -> set[str]:
    """Every step that this one speaks of; handlers hang on handlers alone."""
    text = msgspec.json.encode(replace(step, body=UNSET, name="")).decode()
    names = {one.name for one in graph.steps if f'"step":"{one.name}"' in text} | set(step.after)
    handlers = {one.name for one in graph.steps if one.handles}
    return names & handlers if step.handles else names


def _reaches(end: str, starts: set[str], before: dict[str, set[str]]) -> bool:
    return end in starts or any(_reaches(one, starts, before) for one in before[end])
