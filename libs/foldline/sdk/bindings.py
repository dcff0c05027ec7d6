"""From placeholders to the domain's bindings and expressions, and the types that flow through them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import cast

from foldline.domain import spec
from foldline.domain.types import accepts, type_of_value
from foldline.sdk.bodies import Traced
from foldline.sdk.conditions import Condition, operands
from foldline.sdk.params import FORM_TYPES
from foldline.sdk.problems import AuthoringError, Problem
from foldline.sdk.references import (
    FactRef,
    Merged,
    MetricRef,
    OutputRef,
    ParameterRef,
    Placeholder,
    Result,
    alternatives_of,
    node_of,
)
from foldline.sdk.tracing import Node, Trace


class Scope:
    """What the steps of one traced workflow can point at."""

    def __init__(self, traced: Traced, trace: Trace) -> None:
        self._trace = trace
        self._parameters = {one.name: one.type for one in traced.parameters}
        self._outputs: dict[Node, Mapping[str, str]] = {}

    def declare(self, node: Node, outputs: Mapping[str, str]) -> None:
        """These are the types of what `node` gives."""
        self._outputs[node] = outputs

    def binding(self, node: Node, value: object, seen: Node | None = None) -> spec.Binding:
        """Where `node` takes `value` from; `seen` is the body that the end condition of a loop looks at."""
        if isinstance(value, Result):
            value = value.single()
        match value:
            case ParameterRef():
                self._require_own(node, value, value.trace)
                return spec.Binding(parameter=value.name)
            case OutputRef():
                return spec.Binding(output=self._output(node, value, seen))
            case Merged():
                found = tuple(self._output(node, one, seen) for one in alternatives_of(value))
                return spec.Binding(merge=spec.Merge(outputs=found))
            case MetricRef():
                self._require_own(node, value, value.node.trace)
                return spec.Binding(metric=spec.MetricRef(step=value.node.name, name=value.name))
            case FactRef():
                return spec.Binding(fact=value.name)
        return spec.Binding(value=plain(value))

    def expression(self, node: Node, condition: Condition, seen: Node | None = None) -> spec.Expression:
        op = cast("spec.Operator", condition.op)
        if condition.terms:
            terms = tuple(self.expression(node, term, seen) for term in condition.terms)
            return spec.Expression(op=op, terms=terms)
        left, right = (self.binding(node, side, seen) for side in (condition.left, condition.right))
        return spec.Expression(op=op, left=left, right=right)

    def condition_problems(self, node: Node, condition: Condition, seen: Node | None) -> Iterator[Problem]:
        """What is wrong with the operands that the compiler does not see: facts, and the body of a loop."""
        for operand in operands(condition):
            if isinstance(operand, FactRef) and not node.handles:
                message = f"compares {operand.describe()}; only handlers know how the run ended"
                yield _problem("ILLEGAL_FACT", node, message)
            if isinstance(operand, OutputRef) and operand.node is seen:
                type_ = self.type_of(operand)
                if type_ not in {*FORM_TYPES, "any", "list"}:
                    message = f"compares {operand.name} of its body, which is of type {type_}; only JSON "
                    yield _problem("NOT_COMPARABLE", node, f"{message}values can be compared")

    def type_of(self, value: object) -> str:
        """The type of what a placeholder stands for, or of a constant."""
        if isinstance(value, Result):
            value = value.single()
        match value:
            case ParameterRef():
                return self._parameters.get(value.name, "any")
            case OutputRef():
                return "any" if value.path else self._outputs.get(value.node, {}).get(value.name, "any")
            case Merged():
                kinds = {self.type_of(one) for one in alternatives_of(value)}
                return kinds.pop() if len(kinds) == 1 else "any"
            case MetricRef():
                return "float"
            case FactRef():
                return "str"
        return type_of_value(value)

    def checkable(self, node: Node, wanted: Mapping[str, str]) -> tuple[dict[str, str], list[Problem]]:
        """The input types that the compiler can check, and what is wrong with the others.

        To the compiler a parameter is JSON; one of a body that is given a table has a type of its own here.
        """
        problems = []
        left = {}
        for name, kind in wanted.items():
            value = node.arguments.get(name)
            if kind == "any" or name not in node.arguments:
                continue
            if not isinstance(value, ParameterRef) or self.type_of(value) in FORM_TYPES:
                left[name] = kind
            elif not accepts(kind, self.type_of(value)):
                message = f"input {name} takes {kind}, but {value.describe()} is {self.type_of(value)}"
                problems.append(_problem("TYPE_MISMATCH", node, message))
        return left, problems

    def step_named(self, node: Node, other: object) -> str:
        """The step that `node` runs after."""
        if isinstance(other, (Result, OutputRef)):
            found = node_of(other)
            self._require_own(node, other, found.trace)
            return found.name
        if isinstance(other, str):
            return other
        names = [one.name for one in self._trace.nodes]
        close = difflib.get_close_matches(repr(other), names, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        message = f"runs after {other!r}, which is neither a result nor a step's name{hint}"
        raise AuthoringError(_problem("ILLEGAL_AFTER", node, message))

    def _output(self, node: Node, value: OutputRef, seen: Node | None) -> spec.OutputRef:
        if value.node is not seen:
            self._require_own(node, value, value.node.trace)
        return spec.OutputRef(step=value.node.name, name=value.name, path=value.path)

    def _require_own(self, node: Node, value: Placeholder, trace: Trace | None) -> None:
        if trace is self._trace:
            return
        if trace is None:
            message = f"takes {value.describe()} inside a loop, which only the loop's `until` can look at"
        else:
            message = f"takes {value.describe()} of another workflow; give it as an argument"
        raise AuthoringError(_problem("FOREIGN_RESULT", node, message))


def plain(value: object) -> spec.Json:
    """Tuples as lists, the way JSON gives them back."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def _problem(rule: str, node: Node, message: str) -> Problem:
    return Problem(rule=rule, where=f"step {node.label}", message=message, site=node.site)
