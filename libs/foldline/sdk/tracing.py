"""Tracing: what a workflow function did while it ran once with placeholders.

A trace collects nodes and problems that need not end the tracing at once, so that an author sees as many as
possible together. What runs inside a step of a trace (`bodies`) has a trace of its own, which knows the one
around it. `graphs` makes the domain's graph of it all.

Standard library alone: step processes import it.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from foldline.sdk.hints import Outputs
from foldline.sdk.problems import Problem, Site, call_site, refuse
from foldline.sdk.references import ParameterRef, Placeholder, Result

if TYPE_CHECKING:
    from foldline.sdk.bodies import Inner, Traced
    from foldline.sdk.conditions import Condition
    from foldline.sdk.steps import Step
    from foldline.sdk.uses import Use
    from foldline.sdk.waits import Question


NOTHING = Outputs(())
"""The outputs of what gives nothing."""


@dataclass(slots=True)
class Branch:
    """A `with fl.when(...)` or `with fl.otherwise()` block: the condition's node and the answer."""

    condition: Node
    answer: bool


@dataclass(slots=True, eq=False)
class Node:
    """One use of a step, one condition, one wait. `name` is final once the trace is."""

    base: str
    site: Site
    what: Step[..., Any] | Condition | Inner | Question | None
    """None for what is no step of the graph: the body of a loop, as its `until` sees it."""
    outputs: Outputs | None
    """None where only the installation knows them (a body of another release)."""
    arguments: dict[str, object] = field(default_factory=dict)
    others: list[object] = field(default_factory=list)
    skip_when: Condition | None = None
    branch: Branch | None = None
    handles: str = ""
    trace: Trace | None = None
    explicit: str = ""
    name: str = ""

    @property
    def label(self) -> str:
        return self.name or self.explicit or self.base

    @property
    def output_names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.outputs.fields) if self.outputs else ()

    @property
    def is_record(self) -> bool:
        return self.outputs is None or self.outputs.is_record

    def rename(self, name: str) -> None:
        self.explicit = name

    def wait_for(self, others: tuple[object, ...]) -> None:
        self.others.extend(others)


class Trace:
    """The record of one tracing; also what `fl.when` and the steps write to."""

    def __init__(self, function: Callable[..., object] | None = None, outer: Trace | None = None) -> None:
        self.nodes: list[Node] = []
        self.problems: list[Problem] = []
        self.branches: list[Branch] = []
        self.closed: list[Node | None] = [None]
        """Per depth of nesting: the `when` that an `otherwise` would belong to."""
        self.handles = ""
        """Which handler's block is open."""
        self.function = function
        self.outer = outer
        self.bodies: dict[Callable[..., object], Traced] = {} if outer is None else outer.bodies
        """Workflows that were traced on the way: each is, once."""

    def add(self, node: Node, use: Use | None = None) -> Node:
        node.trace = self
        node.branch = node.branch or (self.branches[-1] if self.branches else None)
        node.handles = self.handles
        if use is not None:
            node.explicit = use.name
            node.others = [*use.after]
            node.skip_when = use.skip_when
        self.nodes.append(node)
        return node

    def problem(self, rule: str, where: str, message: str, site: Site | None = None) -> None:
        self.problems.append(Problem(rule=rule, where=where, message=message, site=site or call_site()))

    def call(self, step: Step[..., Any], args: tuple[object, ...], kwargs: Mapping[str, object]) -> Result:
        """Record a use of `step`; nothing runs."""
        node = self.add(Node(step.name, call_site(), step, step.outputs), step.use)
        self.give(node, arguments_of(self, node, step.function, args, kwargs))
        return Result(node)

    def give(self, node: Node, arguments: Mapping[str, object]) -> None:
        """These are the node's inputs."""
        for name, value in arguments.items():
            node.arguments[name] = value
            self._check_argument(node, name, value)

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

    @contextmanager
    def handling(self, when: str) -> Iterator[None]:
        """Steps called inside belong to a handler."""
        self.handles = when
        self.closed.append(None)
        try:
            yield
        finally:
            self.handles = ""
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
        if holds_placeholder(value):
            self.problem(
                "PLACEHOLDER_IN_COLLECTION",
                where,
                f"input {name} holds results inside a list or dict; pass each as an argument of its own "
                "(a step may take **inputs)",
            )
        elif (reason := why_not_json(value)) is not None:
            self.problem("VALUE_NOT_JSON", where, f"input {name} {reason}; make it in a step, or pass JSON")


def arguments_of(
    trace: Trace,
    node: Node,
    function: Callable[..., object],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
) -> dict[str, object]:
    """The arguments of a call by name; a call that `function` would refuse is a problem of the trace."""
    try:
        bound = inspect.signature(function).bind(*args, **kwargs)
    except TypeError as error:
        trace.problem("ILLEGAL_CALL", f"step {node.label}", f"{error}; it is {_signature(function)}")
        return {}
    found: dict[str, object] = {}
    for name, parameter in bound.signature.parameters.items():
        if name not in bound.arguments:
            continue
        value = bound.arguments[name]
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            found.update(value)
        elif parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            found[name] = value
    return found


def holds_placeholder(value: object) -> bool:
    if isinstance(value, dict):
        return any(holds_placeholder(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(holds_placeholder(item) for item in value)
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


def _signature(function: Callable[..., object]) -> str:
    parameters = inspect.signature(function).parameters.values()
    return f"{function.__name__}({', '.join(str(parameter) for parameter in parameters)})"


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


def run(function: Callable[..., object], parameters: list[str], trace: Trace) -> object:
    """Call `function` with a placeholder per parameter, recording in `trace`; what it returned."""
    token = _current.set(trace)
    try:
        return function(**{name: ParameterRef(name, trace) for name in parameters})
    finally:
        _current.reset(token)
        trace.finish()
