"""Declaring steps: `@fl.step`.

A step is a plain function; decorated it stays one, wherever no workflow is being traced.

Standard library alone: the process of every step imports the author's file, and with it this module.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, overload

from foldline.sdk import hints, tracing
from foldline.sdk.policies import Options, Policy, policy_of
from foldline.sdk.uses import Usable

P = ParamSpec("P")
R = TypeVar("R")


class Step(Usable, Generic[P, R]):
    """A decorated function. Calls run it; inside a workflow function they record a use of it."""

    def __init__(self, function: Callable[P, R], name: str, title: str, policy: Policy) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name or function.__name__
        self.title = title
        self.policy = policy

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        trace = tracing.current()
        if trace is None:
            return self.function(*args, **kwargs)
        return trace.call(self, args, kwargs)  # type: ignore[return-value]  # a placeholder for it

    @functools.cached_property
    def outputs(self) -> hints.Outputs:
        return hints.outputs_of(hints.of(self.function).get("return", Any))

    @functools.cached_property
    def input_types(self) -> dict[str, str]:
        annotations = hints.of(self.function)
        found = {name: hints.input_type_of(kind) for name, kind in annotations.items() if name != "return"}
        return {name: kind for name, kind in found.items() if kind != "any"}

    def __repr__(self) -> str:
        return f"<step {self.name} of {self.function.__module__}>"


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...


@overload
def step(
    *, name: str = "", title: str = "", **options: Unpack[Options]
) -> Callable[[Callable[P, R]], Step[P, R]]: ...


def step(
    function: Callable[P, R] | None = None, /, *, name: str = "", title: str = "", **options: Unpack[Options]
) -> Step[P, R] | Callable[[Callable[P, R]], Step[P, R]]:
    """Make a step of a function. `policies.Options` says what the options mean."""
    policy = policy_of(options)

    def decorate(function: Callable[P, R]) -> Step[P, R]:
        return Step(function, name, title, policy)

    return decorate if function is None else decorate(function)
