"""What is wrong with a declared graph, as data: every broken rule with the thing that breaks it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import msgspec

from foldline.domain.errors import FoldlineError, Kind


class Problem(msgspec.Struct, frozen=True):
    """One broken rule. `where` names the step, parameter or output that breaks it."""

    rule: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message} ({self.rule})"


class GraphError(FoldlineError):
    """The graph breaks rules; `problems` has them all."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(
            Kind.INVALID,
            problems[0].rule,
            "; ".join(str(problem) for problem in problems),
            **{problem.where: problem.rule for problem in problems},
        )
        self.problems = problems


def hint(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: what was probably meant."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
