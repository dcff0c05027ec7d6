"""Conditions of a workflow: comparisons of results and parameters, and the blocks they guard.

    with fl.when(fl.all_of(metrics["accuracy"] >= accept_at, fl.is_in(mode, ["full", "fast"]))):
        model_card(model)
    with fl.otherwise_when(mode == "lax"):
        warn(metrics)
    with fl.otherwise():
        reject(metrics)

Standard library alone: step processes import it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from foldline.sdk.problems import AuthoringError, Problem, call_site, refuse
from foldline.sdk.references import Placeholder, Result
from foldline.sdk.tracing import NOTHING, Branch, Node, Trace, required, why_not_json


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """A comparison (`left`, `right`) or a combination (`terms`). Answered by the scheduler in each run."""

    op: str
    left: object = None
    right: object = None
    terms: tuple[Condition, ...] = ()

    def __bool__(self) -> bool:
        raise refuse(
            "PLACEHOLDER_AS_BOOL",
            f"the comparison with '{self.op}'",
            "has no answer while the workflow is traced; branch with `with fl.when(...):`, combine with "
            "fl.all_of, fl.any_of, fl.not_ (instead of and, or, not, and of a < b < c)",
        )

    def _no_operator(self, *_: object) -> NoReturn:
        raise refuse(
            "PLACEHOLDER_AS_BOOL",
            f"the comparison with '{self.op}'",
            "is combined with fl.all_of, fl.any_of and fl.not_, not with &, | and ~",
        )

    __and__ = __or__ = __rand__ = __ror__ = __invert__ = _no_operator


def compare(op: str, left: object, right: object) -> Condition:
    """The comparison of two values, at least one of which is a placeholder."""
    return Condition(op, _operand(left), _operand(right))


def is_in(value: object, choices: object) -> bool:
    """Is `value` one of `choices` (a list, or a JSON result that is one)?"""
    if isinstance(choices, (set, frozenset)):
        choices = sorted(choices)
    return compare("in", value, choices)  # type: ignore[return-value]  # type checkers see the answer


def all_of(*terms: object) -> bool:
    """Do all hold?"""
    return _combine("and", terms)  # type: ignore[return-value]  # as above


def any_of(*terms: object) -> bool:
    """Does one hold at least?"""
    return _combine("or", terms)  # type: ignore[return-value]  # as above


def not_(term: object) -> bool:
    """Does it not hold?"""
    return _combine("not", (term,))  # type: ignore[return-value]  # as above


@contextmanager
def when(condition: object, *, name: str = "") -> Iterator[None]:
    """Steps inside the block run only where `condition` holds. `name` names it in records and pictures."""
    trace = required("fl.when")
    node = trace.add(_node(condition, name))
    with trace.inside(Branch(node, True)):
        yield
    trace.closed[-1] = node


@contextmanager
def otherwise_when(condition: object, *, name: str = "") -> Iterator[None]:
    """Steps inside run only where nothing held so far, and `condition` does: Python's `elif`."""
    trace = required("fl.otherwise_when")
    before = _before(trace, "fl.otherwise_when")
    node = _node(condition, name)
    node.branch = Branch(before, False)
    trace.add(node)
    with trace.inside(Branch(node, True)):
        yield
    trace.closed[-1] = node


@contextmanager
def otherwise() -> Iterator[None]:
    """Steps inside the block run only where the condition of the `fl.when` before it does not hold."""
    trace = required("fl.otherwise")
    node = _before(trace, "fl.otherwise")
    trace.closed[-1] = None
    with trace.inside(Branch(node, False)):
        yield


def operands(condition: Condition) -> Iterator[object]:
    """Both sides of every comparison."""
    if condition.terms:
        for term in condition.terms:
            yield from operands(term)
    else:
        yield from (condition.left, condition.right)


def condition_of(value: object) -> Condition:
    """A condition as it is; a true-or-false result as a condition."""
    if isinstance(value, Condition):
        return value
    if isinstance(value, Placeholder):
        return compare("==", value, True)
    raise refuse(
        "ILLEGAL_CONDITION",
        "the condition",
        f"is {value!r}, which never changes; compare a result or a parameter, or use a plain `if`",
    )


def _node(condition: object, name: str) -> Node:
    return Node("when", call_site(), condition_of(condition), NOTHING, explicit=name)


def _before(trace: Trace, what: str) -> Node:
    node = trace.closed[-1]
    if node is None:
        raise refuse("OTHERWISE_WITHOUT_WHEN", what, "has no `with fl.when(...):` before it here")
    return node


def _combine(op: str, terms: Sequence[object]) -> Condition:
    if not terms:
        raise refuse("ILLEGAL_CONDITION", f"'{op}'", "needs one condition at least")
    return Condition(op, terms=tuple(condition_of(term) for term in terms))


def _operand(value: object) -> object:
    if isinstance(value, Result):
        return value.single()
    if isinstance(value, Placeholder):
        return value
    if (reason := why_not_json(value)) is not None:
        raise AuthoringError(
            Problem(
                rule="VALUE_NOT_JSON", where="the condition", message=f"{value!r} {reason}", site=call_site()
            )
        )
    return value
