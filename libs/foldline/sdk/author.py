"""Declaring workflows: `@fl.step` and `@fl.workflow`.

A step is a plain function; decorated it stays one, wherever no workflow is being traced. A workflow function
runs once, with placeholders, to say which steps there are and how values flow between them; in a run it is
never called again.

Standard library alone: the process of every step imports the author's file, and with it this module.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar, overload

from foldline.sdk import hints, tracing
from foldline.sdk.conditions import all_of, any_of, is_in, not_, otherwise, when
from foldline.sdk.params import param
from foldline.sdk.problems import Site, refuse

__all__ = [
    "Retry",
    "Step",
    "Workflow",
    "all_of",
    "any_of",
    "is_in",
    "not_",
    "otherwise",
    "param",
    "step",
    "when",
    "workflow",
]

P = ParamSpec("P")
R = TypeVar("R")

_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(i?)B?\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When to try a step again after it failed by its own fault. Losses of the platform do not count."""

    max_attempts: int = 3
    delay: float = 0.0
    multiplier: float = 2.0
    max_delay: float = 300.0
    never_after: tuple[str | type[BaseException], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a step is run."""

    retry: Retry | None = None
    run_timeout: float = 0.0
    grace: float = 0.0
    pool: str = ""
    cpu: float = 0.0
    memory_bytes: int = 0
    allow_pickle: bool = False


class Step(Generic[P, R]):
    """A decorated function. Calls run it; inside a workflow function they record a use of it."""

    def __init__(self, function: Callable[P, R], name: str, title: str, policy: Policy) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name or function.__name__
        self.title = title
        self.policy = policy
        self.use_name = ""
        self.use_after: tuple[object, ...] = ()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        trace = tracing.current()
        if trace is None:
            return self.function(*args, **kwargs)
        return trace.call(self, args, kwargs)  # type: ignore[return-value]  # a placeholder for it

    def named(self, name: str) -> Step[P, R]:
        """This step under another name for one use: `train.named("train-small")(data)`."""
        return self._use(name, self.use_after)

    def after(self, *others: object) -> Step[P, R]:
        """This step, started only when `others` have finished: `report.after(clean)(data)`."""
        return self._use(self.use_name, (*self.use_after, *others))

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

    def _use(self, name: str, after: tuple[object, ...]) -> Step[P, R]:
        used = Step(self.function, self.name, self.title, self.policy)
        used.use_name, used.use_after = name, after
        return used


class Workflow:
    """A decorated workflow function: a declaration, which is checked, run and released, never called."""

    def __init__(
        self,
        function: Callable[..., object],
        name: str,
        title: str,
        description: str,
        requirements: Sequence[str],
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name or function.__name__
        self.title = title
        self.description = description or inspect.getdoc(function) or ""
        self.requirements = tuple(requirements)
        self.site = Site(function.__code__.co_filename, function.__code__.co_firstlineno)

    def __call__(self, *_: object, **__: object) -> object:
        raise refuse(
            "WORKFLOW_CALLED",
            f"workflow {self.name}",
            "is a declaration and cannot be called; run it with `foldline run FILE`",
        )

    def __repr__(self) -> str:
        return f"<workflow {self.name} of {self.function.__module__}>"


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...


@overload
def step(
    *,
    name: str = "",
    title: str = "",
    retry: Retry | None = None,
    run_timeout: float = 0.0,
    grace: float = 0.0,
    pool: str = "",
    cpu: float = 0.0,
    memory: int | str = 0,
    allow_pickle: bool = False,
) -> Callable[[Callable[P, R]], Step[P, R]]: ...


def step(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str = "",
    title: str = "",
    retry: Retry | None = None,
    run_timeout: float = 0.0,
    grace: float = 0.0,
    pool: str = "",
    cpu: float = 0.0,
    memory: int | str = 0,
    allow_pickle: bool = False,
) -> Step[P, R] | Callable[[Callable[P, R]], Step[P, R]]:
    """Make a step of a function.

    `run_timeout` and `grace` are seconds (0: no limit, the installation's default), `cpu` is cores,
    `memory` is bytes or text such as "2GiB". `allow_pickle` lets outputs be stored that have no safe
    format; the record says so.
    """
    policy = Policy(
        retry=retry,
        run_timeout=run_timeout,
        grace=grace,
        pool=pool,
        cpu=cpu,
        memory_bytes=_bytes(memory),
        allow_pickle=allow_pickle,
    )

    def decorate(function: Callable[P, R]) -> Step[P, R]:
        return Step(function, name, title, policy)

    return decorate if function is None else decorate(function)


@overload
def workflow(function: Callable[..., object], /) -> Workflow: ...


@overload
def workflow(
    *, name: str = "", title: str = "", description: str = "", requirements: Sequence[str] = ()
) -> Callable[[Callable[..., object]], Workflow]: ...


def workflow(
    function: Callable[..., object] | None = None,
    /,
    *,
    name: str = "",
    title: str = "",
    description: str = "",
    requirements: Sequence[str] = (),
) -> Workflow | Callable[[Callable[..., object]], Workflow]:
    """Make a workflow of a function whose parameters are the workflow's.

    `requirements` are what its steps import, as in a requirements.txt; they are locked when it is released.
    What the function returns (one result, or a dict of them) are the outputs of its runs.
    """

    def decorate(function: Callable[..., object]) -> Workflow:
        return Workflow(function, name, title, description, requirements)

    return decorate if function is None else decorate(function)


def _bytes(amount: int | str) -> int:
    if isinstance(amount, int):
        return amount
    match = _AMOUNT.fullmatch(amount)
    if match is None:
        raise refuse(
            "ILLEGAL_POLICY", "memory", f'is {amount!r}; write bytes, or text such as "512MiB" or "2GB"'
        )
    return int(float(match[1]) * (1024 if match[3] else 1000) ** _POWERS[match[2]])
