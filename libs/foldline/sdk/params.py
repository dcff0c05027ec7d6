"""Parameters of a workflow, taken from its function's signature.

    @fl.workflow
    def digits(accept_at: float = fl.param(0.95, ge=0, le=1), mode: Literal["a", "b"] = "a"):

Standard library alone: step processes import it.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from foldline.sdk import hints
from foldline.sdk.problems import Problem, Site
from foldline.sdk.tracing import why_not_json


class Unset(Enum):
    """Marks what an author did not give, since None is a value."""

    UNSET = 0


UNSET = Unset.UNSET

_TYPES = frozenset({"int", "float", "str", "bool", "json"})


@dataclass(frozen=True, slots=True)
class Declaration:
    """What `fl.param` was given."""

    default: object = UNSET
    title: str = ""
    ge: float | None = None
    le: float | None = None
    choices: tuple[object, ...] = ()
    help: str = ""


def param(
    default: object = UNSET,
    *,
    title: str = "",
    ge: float | None = None,
    le: float | None = None,
    choices: Sequence[object] = (),
    help: str = "",  # noqa: A002  # the word that every tool of this kind uses
) -> Any:
    """Declare a workflow's parameter; without a default it must be set before a run.

    `ge` and `le` bound numbers, both inclusive. `choices` are the only values allowed.
    """
    return Declaration(default, title, ge, le, tuple(choices), help)


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter, complete: what the domain's Parameter is made of."""

    name: str
    type: str
    declared: Declaration


def parameters_of(function: Callable[..., object], site: Site) -> tuple[list[Param], list[Problem]]:
    """The parameters that `function` declares, and what is wrong with their declarations."""
    found: list[Param] = []
    problems: list[Problem] = []
    annotations = hints.of(function)
    for name, parameter in inspect.signature(function).parameters.items():
        where = f"parameter {name}"
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            message = "a workflow lists its parameters one by one, without * and **"
            problems.append(Problem(rule="ILLEGAL_SIGNATURE", where=where, message=message, site=site))
            continue
        default = parameter.default
        declared = default if isinstance(default, Declaration) else Declaration(_or_unset(default))
        kind, choices = _type_of(annotations.get(name, inspect.Parameter.empty), declared)
        if choices and not declared.choices:
            declared = Declaration(
                declared.default, declared.title, declared.ge, declared.le, choices, declared.help
            )
        if kind not in _TYPES:
            message = (
                f"has no type that a form can ask for ({kind}); annotate it as int, float, str, bool, "
                "Literal[...], list or dict"
            )
            problems.append(Problem(rule="PARAMETER_TYPE", where=where, message=message, site=site))
            continue
        problems.extend(_value_problems(where, declared, site))
        found.append(Param(name, kind, declared))
    return found, problems


def _or_unset(default: object) -> object:
    return UNSET if default is inspect.Parameter.empty else default


def _type_of(annotation: object, declared: Declaration) -> tuple[str, tuple[object, ...]]:
    """Type and choices; without an annotation the default's type."""
    if annotation is inspect.Parameter.empty and declared.default not in (UNSET, None):
        annotation = type(declared.default)
    choices: tuple[object, ...] = ()
    if typing.get_origin(annotation) is typing.Literal:
        choices = typing.get_args(annotation)
    return hints.type_of(annotation), choices


def _value_problems(where: str, declared: Declaration, site: Site) -> list[Problem]:
    values = [] if declared.default is UNSET else [("default", declared.default)]
    values += [("choice", choice) for choice in declared.choices]
    return [
        Problem(rule="VALUE_NOT_JSON", where=where, message=f"{what} {reason}", site=site)
        for what, value in values
        if (reason := why_not_json(value)) is not None
    ]
