"""Parameters of a workflow, taken from its function's signature.

    @fl.workflow
    def digits(accept_at: float = fl.param(0.95, ge=0, le=1), mode: Literal["a", "b"] = "a"):

Standard library alone: step processes import it.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from foldline.sdk import hints
from foldline.sdk.problems import AuthoringError, Problem, Site
from foldline.sdk.tracing import why_not_json


class Unset(Enum):
    """Marks what an author did not give, since None is a value."""

    UNSET = 0


UNSET = Unset.UNSET

FORM_TYPES = frozenset({"int", "float", "str", "bool", "json"})


@dataclass(frozen=True, slots=True)
class Declaration:
    """What `fl.param` was given."""

    default: object = UNSET
    title: str = ""
    ge: float | None = None
    le: float | None = None
    choices: tuple[object, ...] = ()
    help: str = ""
    delayed: bool = False

    def __repr__(self) -> str:
        return f"fl.param({'...' if self.default is UNSET else repr(self.default)})"


def param(
    default: object = UNSET,
    *,
    title: str = "",
    ge: float | None = None,
    le: float | None = None,
    choices: Sequence[object] = (),
    help: str = "",  # noqa: A002  # the word that every tool of this kind uses
    delayed: bool = False,
) -> Any:
    """Declare a workflow's parameter; without a default it must be set before a run.

    `ge` and `le` bound numbers, both inclusive. `choices` are the only values allowed. A delayed parameter
    is asked for when a step needs it, unless it was set before; its default is what the form proposes.
    """
    return Declaration(default, title, ge, le, tuple(choices), help, delayed)


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter, complete: what the domain's Parameter is made of. `type` may be one that no form asks
    for: then it can be one of a body alone, which is given artifacts, too."""

    name: str
    type: str
    declared: Declaration


def parameters_of(function: Callable[..., object], site: Site) -> tuple[list[Param], list[Problem]]:
    """The parameters that `function` declares, and what is wrong with their declarations."""
    found: list[Param] = []
    problems: list[Problem] = []
    annotations = hints.of(function)
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            message = "a workflow lists its parameters one by one, without * and **"
            problems.append(
                Problem(rule="ILLEGAL_SIGNATURE", where=f"parameter {name}", message=message, site=site)
            )
            continue
        default = UNSET if parameter.default is inspect.Parameter.empty else parameter.default
        one = _complete(name, annotations.get(name, inspect.Parameter.empty), default)
        problems.extend(_value_problems(f"parameter {name}", one.declared, site))
        found.append(one)
    return found, problems


def form_of(record: type, site: Site) -> tuple[list[Param], list[Problem]]:
    """The fields of a form that is written as a class, and what is wrong with their declarations."""
    annotated = hints.fields_of(record)
    if annotated is None:
        message = f"{record!r} is no class of named fields (NamedTuple, dataclass, TypedDict)"
        raise AuthoringError(Problem(rule="ILLEGAL_FORM", where="fl.ask", message=message, site=site))
    defaults = _defaults_of(record)
    found = [_complete(name, annotation, defaults.get(name, UNSET)) for name, annotation in annotated]
    problems = [
        problem for one in found for problem in _value_problems(f"field {one.name}", one.declared, site)
    ]
    return found, [*problems, *type_problems(found, site, "field")]


def type_problems(found: Sequence[Param], site: Site, what: str = "parameter") -> list[Problem]:
    """The parameters that no form can ask for."""
    return [
        Problem(
            rule="PARAMETER_TYPE",
            where=f"{what} {one.name}",
            message=f"has no type that a form can ask for ({one.type}); annotate it as int, float, str, "
            "bool, Literal[...], list or dict",
            site=site,
        )
        for one in found
        if one.type not in FORM_TYPES
    ]


def _complete(name: str, annotation: object, default: object) -> Param:
    declared = default if isinstance(default, Declaration) else Declaration(default)
    kind, choices = _type_of(annotation, declared)
    if choices and not declared.choices:
        declared = replace(declared, choices=choices)
    return Param(name, kind, declared)


def _defaults_of(record: type) -> dict[str, object]:
    if dataclasses.is_dataclass(record):
        fields = dataclasses.fields(record)
        return {one.name: one.default for one in fields if one.default is not dataclasses.MISSING}
    return dict(getattr(record, "_field_defaults", {}))


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
