"""Answering conditions, with an explanation that a person can check."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable

from msgspec import UNSET

from foldline.domain.artifacts import Artifact
from foldline.domain.run import RunState
from foldline.domain.spec import Expression, Json, OutputRef
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
    if expression.left is not UNSET and expression.right is not UNSET:
        left, right = value_of(state, expression.left, body), value_of(state, expression.right, body)
        text = f"{_show(left)} {expression.op} {_show(right)}"
        try:
            return bool(_COMPARE[expression.op](left, right)), text
        except TypeError as error:
            raise Unresolvable("NOT_COMPARABLE", f"cannot compare {text}") from error
    answers = [answer(state, term, body) for term in expression.terms]
    texts = [text for _, text in answers]
    if expression.op == "not":
        return not answers[0][0], f"not ({texts[0]})"
    combine = all if expression.op == "and" else any
    return combine(truth for truth, _ in answers), f" {expression.op} ".join(f"({text})" for text in texts)


def _show(value: Json) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
