"""Tracing: what a workflow function did while it ran once with placeholders.

A trace collects nodes (uses of steps, conditions) and problems that need not end the tracing at once, so
that an author sees as many as possible together. `graphs` makes the domain's graph of it.

Standard library alone: step processes import it.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from foldline.sdk.problems import Problem, Site, call_site, refuse
from foldline.sdk.references import ParameterRef, Placeholder, Result

if TYPE_CHECKING:
    from foldline.sdk.author import Step
    from foldline.sdk.conditions import Condition


@dataclass(slots=True)
class Branch:
    """A `with fl.when(...)` or `with fl.otherwise()` block: the condition's node and the answer."""

    condition: Node
    answer: bool


@dataclass(slots=True, eq=False)
class Node:
    """One use of a step, or one condition. `name` is final once the trace is."""

    base: str
    site: Site
    step: Step[..., Any] | None = None
    condition: Condition | None = None
    arguments: dict[str, object] = field(default_factory=dict)
    others: list[object] = field(default_factory=list)
    branch: Branch | None = None
    explicit: str = ""
    name: str = ""

    @property
    def label(self) -> str:
        return self.name or self.explicit or self.base

    @property
    def output_names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.step.outputs.fields) if self.step else ()

    @property
    def is_record(self) -> bool:
        return self.step is not None and self.step.outputs.is_record

    def rename(self, name: str) -> None:
        self.explicit = name

    def wait_for(self, others: tuple[object, ...]) -> None:
        self.others.extend(others)


class Trace:
    """The record of one tracing; also what `fl.when` and the steps write to."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.problems: list[Problem] = []
        self.branches: list[Branch] = []
        self.closed: list[Node | None] = [None]
        """Per depth of nesting: the `when` that an `otherwise` would belong to."""

    def add(self, node: Node) -> Node:
        node.branch = self.branches[-1] if self.branches else None
        self.nodes.append(node)
        return node

    def problem(self, rule: str, where: str, message: str, site: Site | None = None) -> None:
        self.problems.append(Problem(rule=rule, where=where, message=message, site=site or call_site()))

    def call(self, step: Step[..., Any], args: tuple[object, ...], kwargs: dict[str, object]) -> Result:
        """Record a use of `step`; nothing runs."""
        node = self.add(Node(step.name, call_site(), step, explicit=step.use_name, others=[*step.use_after]))
        try:
            bound = inspect.signature(step.function).bind(*args, **kwargs)
        except TypeError as error:
            self.problem("ILLEGAL_CALL", f"step {node.label}", f"{error}; the step is {_signature(step)}")
            return Result(node)
        for name, parameter in bound.signature.parameters.items():
            if name not in bound.arguments:
                continue
            value = bound.arguments[name]
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                node.arguments.update(value)
            elif parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
                node.arguments[name] = value
        for name, value in node.arguments.items():
            self._check_argument(node, name, value)
        return Result(node)

    @contextmanager
    def inside(self, branch: Branch) -> Iterator[None]:
        """Steps called inside belong to the branch."""
        self.branches.append(branch)
        self.closed.append(None)
        try:
            yield
        finally:
            self.branches.pop()
            self.closed.pop()

    def finish(self) -> None:
        """Give every node its name: the author's where there is one, else the step's, name-2, name-3, ..."""
        taken = {node.explicit for node in self.nodes if node.explicit}
        for node in self.nodes:
            if node.explicit:
                node.name = node.explicit
                continue
            name, number = node.base, 1
            while name in taken:
                number += 1
                name = f"{node.base}-{number}"
            node.name = name
            taken.add(name)

    def _check_argument(self, node: Node, name: str, value: object) -> None:
        if isinstance(value, Placeholder):
            return
        where = f"step {node.label}"
        if _holds_placeholder(value):
            self.problem(
                "PLACEHOLDER_IN_COLLECTION",
                where,
                f"input {name} holds results inside a list or dict; pass each as an argument of its own "
                "(a step may take **inputs)",
            )
        elif (reason := why_not_json(value)) is not None:
            self.problem("VALUE_NOT_JSON", where, f"input {name} {reason}; make it in a step, or pass JSON")


def _holds_placeholder(value: object) -> bool:
    if isinstance(value, dict):
        return any(_holds_placeholder(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(_holds_placeholder(item) for item in value)
    return isinstance(value, Placeholder)


def why_not_json(value: object) -> str | None:
    """Why `value` has no JSON form; None where it has one."""
    if value is None or isinstance(value, (bool, int, str)):
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else f"is {value}, which JSON does not have"
    if isinstance(value, (list, tuple)):
        return next((reason for item in value if (reason := why_not_json(item)) is not None), None)
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                return f"has the key {key!r}, which is not a text"
            if (reason := why_not_json(item)) is not None:
                return reason
        return None
    kind = type(value)
    return f"is a {kind.__module__}.{kind.__qualname__}, which is not JSON".replace("builtins.", "")


def _signature(step: Step[..., Any]) -> str:
    names = ", ".join(str(parameter) for parameter in inspect.signature(step.function).parameters.values())
    return f"{step.function.__name__}({names})"


_current: ContextVar[Trace | None] = ContextVar("foldline_trace", default=None)


def current() -> Trace | None:
    """The trace that is being written; None outside of one: then steps are plain functions."""
    return _current.get()


def required(what: str) -> Trace:
    """The trace, or an error that says `what` belongs into a workflow function."""
    trace = _current.get()
    if trace is None:
        raise refuse("OUTSIDE_WORKFLOW", what, "only has a meaning inside a function with @fl.workflow")
    return trace


def run(function: Callable[..., object], parameters: list[str]) -> tuple[Trace, object]:
    """Call `function` with a placeholder per parameter; the trace and what it returned."""
    trace = Trace()
    token = _current.set(trace)
    try:
        returned = function(**{name: ParameterRef(name) for name in parameters})
    finally:
        _current.reset(token)
        trace.finish()
    return trace, returned
