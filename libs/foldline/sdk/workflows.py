"""Declaring workflows: `@fl.workflow`, and `fl.released` for one of another release.

A workflow function runs once, with placeholders, to say which steps there are and how values flow between
them; in a run it is never called again. Called inside another workflow function it is one step of that: a
sub-workflow, released together with it. One that was released before is named with its digest, and is the
same in every run.

Standard library alone: the process of every step imports the author's file, and with it this module.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, ParamSpec, TypeVar, overload

from foldline.sdk import bodies, tracing
from foldline.sdk.problems import Site, call_site, refuse
from foldline.sdk.uses import Usable

P = ParamSpec("P")
R = TypeVar("R")

OnFailure = Literal["stop", "continue"]

_RELEASE = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,63})@(sha256:[0-9a-f]{64})")


class Workflow(Usable, Generic[P, R]):
    """A decorated workflow function: a declaration, which is checked, run and released."""

    def __init__(self, function: Callable[P, R], name: str = "") -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name or function.__name__
        self.title = ""
        self.description = inspect.getdoc(function) or ""
        self.requirements: tuple[str, ...] = ()
        self.on_failure = ""
        self.scenes: dict[str, tuple[object, ...]] = {}
        self.site = Site(function.__code__.co_filename, function.__code__.co_firstlineno)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        trace = tracing.current()
        if trace is None:
            raise refuse(
                "WORKFLOW_CALLED",
                f"workflow {self.name}",
                "is a declaration and can only be called inside another workflow; run it with "
                "`foldline run FILE`",
            )
        return bodies.call(trace, self, args, kwargs)  # type: ignore[return-value]  # a placeholder for it

    def __repr__(self) -> str:
        return f"<workflow {self.name} of {self.function.__module__}>"


class Released(Usable):
    """A workflow that was released before. What it takes and gives, the installation knows."""

    def __init__(self, name: str, digest: str, site: Site) -> None:
        self.name = name
        self.digest = digest
        self.site = site

    def __call__(self, **inputs: object) -> Any:
        return bodies.call_released(tracing.required(repr(self)), self, inputs)

    def __repr__(self) -> str:
        return f"fl.released({self.name}@{self.digest[:14]}...)"


def released(name: str, digest: str = "") -> Released:
    """The workflow `name` of the workspace, as of the release `digest`; also as "NAME@sha256:...".

    It is called like a workflow of the same file, with inputs by name, and may be mapped and repeated.
    """
    text = f"{name}@{digest}" if digest else name
    match = _RELEASE.fullmatch(text)
    if match is None:
        raise refuse(
            "ILLEGAL_RELEASE",
            "fl.released",
            f"{text!r} does not name a release; write NAME@sha256:... (`foldline release` prints it)",
        )
    return Released(match[1], match[2], call_site())


@overload
def workflow(function: Callable[P, R], /) -> Workflow[P, R]: ...


@overload
def workflow(
    *,
    name: str = "",
    title: str = "",
    description: str = "",
    requirements: Sequence[str] = (),
    on_failure: OnFailure = "stop",
    scenes: Mapping[str, Sequence[object]] | None = None,
) -> Callable[[Callable[P, R]], Workflow[P, R]]: ...


def workflow(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str = "",
    title: str = "",
    description: str = "",
    requirements: Sequence[str] = (),
    on_failure: OnFailure = "stop",
    scenes: Mapping[str, Sequence[object]] | None = None,
) -> Workflow[P, R] | Callable[[Callable[P, R]], Workflow[P, R]]:
    """Make a workflow of a function whose parameters are the workflow's.

    `requirements` are what its steps import, as in a requirements.txt; they are locked when it is released.
    `on_failure="continue"` lets what does not need a failed step go on. `scenes` name parts that may be run
    alone: lists of steps (the functions, for every use of them) or names in the graph.
    What the function returns (one result, or a dict of them) are the outputs of its runs.
    """

    def decorate(function: Callable[P, R]) -> Workflow[P, R]:
        made = Workflow(function, name)
        made.title = title
        made.description = description or made.description
        made.requirements = tuple(requirements)
        made.on_failure = "" if on_failure == "stop" else on_failure
        made.scenes = {scene: tuple(steps) for scene, steps in (scenes or {}).items()}
        return made

    return decorate if function is None else decorate(function)
