"""A step or workflow for each item of a list, and again and again: `fl.map` and `fl.repeat`.

    scores = fl.map(train, configs, data=data)
    final = fl.repeat(improve, until=lambda out: out["loss"] < 0.1, maximum=20, weights=first)

Both are one step of the workflow around them, whose body runs as runs of their own. How many items there
are and how often the body is repeated, only the run knows.

Standard library alone: step processes import it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Literal, Protocol, TypeVar, overload

from foldline.sdk import bodies, tracing
from foldline.sdk.bodies import Each, Inner, Loop, Traced
from foldline.sdk.conditions import condition_of
from foldline.sdk.hints import Outputs
from foldline.sdk.problems import call_site, refuse
from foldline.sdk.references import Placeholder, Result
from foldline.sdk.steps import Step
from foldline.sdk.tracing import Node, Trace
from foldline.sdk.workflows import Released, Workflow

R = TypeVar("R")
Table = TypeVar("Table", bound=dict[Any, Any])


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


Record = TypeVar("Record", bound=tuple[Any, ...] | Mapping[str, Any] | _Dataclass)
_Body = Step[..., Any] | Workflow[..., Any] | Released


@overload
def map(  # noqa: A001  # as below
    body: Callable[..., Table], over: object, /, *, parallelism: int = 0, tolerated: int = 0, **fixed: object
) -> list[Table]: ...


@overload
def map(  # noqa: A001  # as below
    body: Callable[..., Record], over: object, /, *, parallelism: int = 0, tolerated: int = 0, **fixed: object
) -> Any: ...


@overload
def map(  # noqa: A001  # as below
    body: Callable[..., R], over: object, /, *, parallelism: int = 0, tolerated: int = 0, **fixed: object
) -> list[R]: ...


def map(  # noqa: A001  # the word of the field; always used as fl.map
    body: Callable[..., Any],
    over: object,
    /,
    *,
    parallelism: int = 0,
    tolerated: int = 0,
    **fixed: object,
) -> Any:
    """Run `body`, a step or a workflow, once for each item of the list `over`; gives the list of its results.

    The item is the first parameter of the body that is not among `fixed`; `{"name": list}` says another. A
    body with several outputs gives a list for each: `parts.train`. At most `parallelism` items run at once
    (0: no limit), and so many as `tolerated` may fail: their results are None.
    """
    trace = tracing.required("fl.map")
    found = _body(body, "fl.map", ("parallelism", "tolerated"))
    item, items = _item(found, over, fixed)
    traced = _traced(trace, found, (item, *fixed))
    declared = _declared(traced)
    if declared is not None:
        declared = Outputs(tuple((name, "list") for name, _ in declared.fields), declared.is_record)
    node = Node(found.name, call_site(), Inner(traced, Each(item, parallelism, tolerated)), declared)
    trace.add(node, found.use)
    if not isinstance(items, (Placeholder, list, tuple)):
        trace.problem(
            "NOT_A_LIST",
            f"step {node.label}",
            f"runs over {items!r}, which is neither a list nor a result or parameter",
        )
    trace.give(node, {item: items, **fixed})
    return Result(node)


def repeat(
    body: Callable[..., R],
    /,
    *,
    until: Callable[[R], object],
    maximum: int = 10,
    at_maximum: Literal["fail", "complete"] = "fail",
    carry: Mapping[str, str] | str | None = None,
    **initial: object,
) -> R:
    """Run `body`, a step or a workflow, until a condition on its outputs holds; gives those of the last time.

    `until` gets what the body gives and compares it. Outputs whose names are those of parameters are carried
    to the next iteration; `carry` says otherwise: {parameter: output}, or the parameter that gets the only
    output. After `maximum` iterations the step fails, or completes with what there is.
    """
    trace = tracing.required("fl.repeat")
    found = _body(body, "fl.repeat", ("until", "maximum", "at_maximum", "carry"))
    carried = _carry(trace, found, carry)
    traced = _traced(trace, found, (*initial, *(carried or ())), defaulted=set(carried or ()) - set(initial))
    declared = _declared(traced)
    seen = Node(found.name, call_site(), None, declared)
    condition = condition_of(until(Result(seen)))  # type: ignore[arg-type]  # a placeholder for it
    loop = Loop(condition, maximum, "" if at_maximum == "fail" else at_maximum, carried, seen)
    node = trace.add(Node(found.name, call_site(), Inner(traced, loop), declared), found.use)
    trace.give(node, initial)
    return Result(node)  # type: ignore[return-value]  # a placeholder for it


def _body(body: object, what: str, options: Iterable[str]) -> _Body:
    if not isinstance(body, (Step, Workflow, Released)):
        message = f"takes a function with @fl.step or @fl.workflow, or fl.released(...), not {body!r}"
        raise refuse("ILLEGAL_BODY", what, message)
    if not isinstance(body, Released):
        for name in bodies.parameter_names(body.function):
            if name in options:
                message = f"has a parameter {name}, which is an option of {what}; give it another name"
                raise refuse("ILLEGAL_BODY", repr(body), message)
    return body


def _item(body: _Body, over: object, fixed: Mapping[str, object]) -> tuple[str, object]:
    """The parameter that is the item, and the list."""
    if isinstance(over, dict) and len(over) == 1:
        ((name, items),) = over.items()
        return str(name), items
    names = [] if isinstance(body, Released) else bodies.parameter_names(body.function)
    free = [name for name in names if name not in fixed]
    if not free:
        message = 'has no free parameter for the item; name it: fl.map(body, {"name": list})'
        raise refuse("ILLEGAL_CALL", repr(body), message)
    return free[0], over


def _traced(
    trace: Trace, body: _Body, names: Iterable[str], defaulted: Iterable[str] = ()
) -> Traced | Released:
    if isinstance(body, Released):
        return body.plain()
    if isinstance(body, Workflow):
        return bodies.of_workflow(body, trace)
    return bodies.of_step(body, names, trace, defaulted=defaulted)


def _declared(body: Traced | Released) -> Outputs | None:
    return None if isinstance(body, Released) else body.declared


def _carry(trace: Trace, body: _Body, carry: Mapping[str, str] | str | None) -> Mapping[str, str] | None:
    """Parameter: output. None where only the installation knows."""
    if isinstance(carry, Mapping):
        return dict(carry)
    if isinstance(body, Released):
        return None if carry is None else {carry: "output"}
    declared = body.outputs if isinstance(body, Step) else bodies.of_workflow(body, trace).declared
    outputs = [name for name, _ in declared.fields] if declared else []
    if carry is None:
        return {name: name for name in bodies.parameter_names(body.function) if name in outputs}
    if len(outputs) != 1:
        message = f"has these outputs: {', '.join(outputs) or 'none'}; write carry={{{carry!r}: output}}"
        raise refuse("SEVERAL_OUTPUTS", repr(body), message)
    return {carry: outputs[0]}
