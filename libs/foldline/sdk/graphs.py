"""From declared workflows to checked ones: the domain's graph, and every problem with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from foldline.domain import spec
from foldline.sdk import bodies, params
from foldline.sdk.bodies import Inner, Traced
from foldline.sdk.building import Builder, Codes, Releases
from foldline.sdk.problems import AuthoringError, Problem
from foldline.sdk.workflows import Released, Workflow


class Checked(msgspec.Struct, frozen=True):
    """A workflow after checking: its graph where there is one, and all problems in the file's order."""

    workflow: Workflow[..., Any]
    graph: spec.Graph | None
    problems: tuple[Problem, ...]

    def require(self) -> spec.Graph:
        """The graph; raises AuthoringError with every problem."""
        if self.problems or self.graph is None:
            raise AuthoringError(*self.problems)
        return self.graph


def check(
    workflow: Workflow[..., Any], *, codes: Codes | None = None, releases: Releases | None = None
) -> Checked:
    """Trace `workflow`, make its graph and compile it. Never raises for what the author did.

    `codes` gives the digests of the steps' code, `releases` the bodies that are of other releases (`pins`).
    """
    traced = bodies.of_workflow(workflow)
    builder = Builder(codes, releases or {})
    built = builder.build(traced)
    problems = [*params.type_problems(traced.parameters, workflow.site), *builder.problems]
    return Checked(workflow, built and built.graph, _in_order(problems))


def check_all(
    workflows: Sequence[Workflow[..., Any]], *, codes: Codes | None = None, releases: Releases | None = None
) -> list[Checked]:
    """The workflows of a file. One that is used inside another may take what no form can ask for."""
    used = {inner for one in workflows for inner in _inside(bodies.of_workflow(one))}
    found = []
    for one in workflows:
        checked = check(one, codes=codes, releases=releases)
        if one.function in used:
            left = tuple(problem for problem in checked.problems if problem.rule != "PARAMETER_TYPE")
            checked = Checked(one, checked.graph, left)
        found.append(checked)
    return found


def outermost(workflows: Sequence[Workflow[..., Any]]) -> list[Workflow[..., Any]]:
    """Those that are not used inside another one."""
    used = {inner for one in workflows for inner in _inside(bodies.of_workflow(one))}
    return [one for one in workflows if one.function not in used]


def pins(*workflows: Workflow[..., Any]) -> set[tuple[str, str]]:
    """Name and digest of every other release that the workflows use."""
    return {pin for workflow in workflows for pin in _pins(bodies.of_workflow(workflow))}


def _pins(traced: Traced) -> Iterator[tuple[str, str]]:
    for node in traced.trace.nodes if traced.trace else ():
        if isinstance(node.what, Inner):
            body = node.what.body
            if isinstance(body, Released):
                yield body.name, body.digest
            else:
                yield from _pins(body)


def _inside(traced: Traced) -> Mapping[Any, Traced]:
    return traced.trace.bodies if traced.trace else {}


def _in_order(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Each once, by file and line."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda one: (one.site.file, one.site.line)))
