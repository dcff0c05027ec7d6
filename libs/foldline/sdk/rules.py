"""The rules of authoring that only show once a workflow was traced: what the compiler finds, at the author's
lines, and steps that an executor could not find or call.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from foldline.domain import dag, spec
from foldline.sdk.bodies import NOT_PLAIN, Traced
from foldline.sdk.problems import Problem, Site
from foldline.sdk.programs import Command, script_problem
from foldline.sdk.steps import Step
from foldline.sdk.tracing import Trace


def compile_problems(graph: spec.Graph, trace: Trace, traced: Traced) -> Iterator[Problem]:
    """What the compiler finds, placed at the line of the step it names; bodies were compiled before."""
    try:
        dag.compile(graph)
    except dag.GraphError as error:
        sites = {node.name: node.site for node in reversed(trace.nodes)}
        later = {node.name: node.site for node in trace.nodes}
        for problem in error.problems:
            if problem.message.startswith("in its body, "):
                continue
            known = later if problem.rule == "DUPLICATE_NAME" else sites
            name = problem.where.removeprefix("step ").partition(",")[0].strip("'")
            site = known.get(name, traced.site) if problem.where.startswith("step ") else traced.site
            yield Problem(rule=problem.rule, where=problem.where, message=problem.message, site=site)


def signature_problems(trace: Trace) -> Iterator[Problem]:
    """Steps that an executor could not find or call."""
    seen = set()
    for node in trace.nodes:
        if not isinstance(node.what, Step) or node.what.function in seen:
            continue
        function = node.what.function
        seen.add(function)
        if isinstance(node.what, Command):
            if (problem := script_problem(node.what)) is not None:
                rule, message, site = problem
                yield Problem(rule=rule, where=f"step {node.label}", message=message, site=site)
            continue
        site = Site(function.__code__.co_filename, function.__code__.co_firstlineno)
        where = f"step {node.label}"
        if "<" in function.__qualname__ or "." in function.__qualname__:
            message = (
                f"{function.__qualname__} is not at the top of a module, where an executor could import it"
            )
            yield Problem(rule="STEP_NOT_IMPORTABLE", where=where, message=message, site=site)
        # Flags of the code object: inspect.signature would follow __wrapped__.
        flags = function.__code__.co_flags
        if flags & inspect.CO_VARARGS or function.__code__.co_posonlyargcount:
            message = "takes arguments by position alone (*args or /), but inputs are passed by name"
            yield Problem(rule="ILLEGAL_SIGNATURE", where=where, message=message, site=site)
        if flags & NOT_PLAIN:
            message = "is async or a generator; a step is a plain function that returns its result"
            yield Problem(rule="ILLEGAL_SIGNATURE", where=where, message=message, site=site)
