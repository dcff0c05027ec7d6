"""Answering conditions, with an explanation that a person can check."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable

from msgspec import UNSET

from foldline.domain.artifacts import Artifact
from foldline.domain.references import references_of
from foldline.domain.run import RunState
from foldline.domain.spec import Binding, Expression, Json, OutputRef
from foldline.domain.values import Unresolvable, value_of

_COMPARE: dict[str, Callable[[Json, Json], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "in": lambda left, right: left in right,
}


Body = Callable[[OutputRef], Artifact | None]


def _no_body(_: OutputRef) -> Artifact | None:
    return None


def answer(state: RunState, expression: Expression, body: Body = _no_body) -> tuple[bool, str]:
    """The truth of `expression` in `state` and how it came about; `body` finds the outputs of a loop's body.

    Raises Unresolvable.
    """
    truth, text = _Answer(state, body).of(expression)
    return truth is True, text


def answer_of_skip(state: RunState, expression: Expression) -> tuple[bool, str]:
    """The same for a skip condition, which may look at steps that did not run.

    A comparison with what such a step would have given has no answer, nor has what hangs on that alone: `not`
    of it, `and` where nothing else is false, `or` where nothing else is true. Without an answer it does not
    hold. Raises Unresolvable for what a step that ran did not give.
    """
    truth, text = _Answer(state, _no_body, may_lack=True).of(expression)
    return truth is True, text


class _Answer:
    """Kleene's logic of three values; None, which is no answer, comes up in skip conditions alone."""

    def __init__(self, state: RunState, body: Body, *, may_lack: bool = False) -> None:
        self._state = state
        self._body = body
        self._may_lack = may_lack

    def of(self, expression: Expression) -> tuple[bool | None, str]:
        if expression.left is not UNSET and expression.right is not UNSET:
            return self._comparison(expression.op, expression.left, expression.right)
        answers = [self.of(term) for term in expression.terms]
        texts = [text for _, text in answers]
        if expression.op == "not":
            truth = answers[0][0]
            return None if truth is None else not truth, f"not ({texts[0]})"
        decisive = expression.op == "or"
        truths = [truth for truth, _ in answers]
        combined = decisive if decisive in truths else None if None in truths else not decisive
        return combined, f" {expression.op} ".join(f"({text})" for text in texts)

    def _comparison(self, op: str, left: Binding, right: Binding) -> tuple[bool | None, str]:
        if self._may_lack:
            for side in (left, right):
                if lacking := _not_run(self._state, side):
                    return None, f"{lacking} did not run"
        one, other = (value_of(self._state, side, self._body) for side in (left, right))
        text = f"{_show(one)} {op} {_show(other)}"
        try:
            return bool(_COMPARE[op](one, other)), text
        except TypeError as error:
            raise Unresolvable("NOT_COMPARABLE", f"cannot compare {text}") from error


def _not_run(state: RunState, binding: Binding) -> str:
    """The steps that would have given the value, where none of them completed; empty where one did."""
    names = [one.step for one in references_of(binding) if one.step]
    if not names or any(state.step(name).status == "completed" for name in names):
        return ""
    return ", ".join(dict.fromkeys(names))


def _show(value: Json) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
