"""What is wrong with a workflow as written: the rule, the place in the file, one sentence for people.

Standard library alone: step processes import it.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path

_NOT_THE_AUTHORS = (str(Path(__file__).parent), contextlib.__file__)


@dataclass(frozen=True, slots=True)
class Site:
    """A line of an author's file; line 0 means the file as a whole."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


NOWHERE = Site("", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One broken rule. `rule` is a stable UPPER_SNAKE word, `where` names the step or parameter."""

    rule: str
    where: str
    message: str
    site: Site = NOWHERE

    def __str__(self) -> str:
        place = f"{self.site}: " if self.site.file else ""
        subject = f"{self.where}: " if self.where else ""
        return f"{place}{subject}{self.message} ({self.rule})"


class AuthoringError(Exception):
    """A workflow breaks rules of authoring; `problems` has every one that was found."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def call_site() -> Site:
    """The author's line that is being executed: the first frame outside of this package and contextlib."""
    frame = sys._getframe(1)  # noqa: SLF001  # the one way to the caller's line that costs nothing
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_NOT_THE_AUTHORS):
        frame = frame.f_back
    return Site(frame.f_code.co_filename, frame.f_lineno)


def refuse(rule: str, where: str, message: str) -> AuthoringError:
    """The error for one problem at the author's current line."""
    return AuthoringError(Problem(rule=rule, where=where, message=message, site=call_site()))
