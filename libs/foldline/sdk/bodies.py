"""What runs inside a step: the body of a map, of a loop, or a sub-workflow.

A body is traced like a workflow of its own, in a trace of its own: it knows its parameters and nothing of
what is around it. A step function as a body stands for the workflow that only calls it.

Standard library alone: step processes import it.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from foldline.sdk import params, tracing
from foldline.sdk.hints import Outputs
from foldline.sdk.params import Declaration, Param
from foldline.sdk.problems import AuthoringError, Problem, Site, call_site
from foldline.sdk.references import ParameterRef, Placeholder, Result, fields_of
from foldline.sdk.tracing import Node, Trace

if TYPE_CHECKING:
    from foldline.sdk.conditions import Condition
    from foldline.sdk.steps import Step
    from foldline.sdk.workflows import Released, Workflow

NOT_PLAIN = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


@dataclass(slots=True, kw_only=True, eq=False)
class Traced:
    """A workflow after its one call. Without a trace it could not be called to its end."""

    name: str
    site: Site
    title: str = ""
    description: str = ""
    on_failure: str = ""
    scenes: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    parameters: list[Param] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    trace: Trace | None = None
    outputs: dict[str, object] = field(default_factory=dict)
    declared: Outputs | None = None
    """The names of the outputs; their types follow when the graph is made. None: not known."""


@dataclass(frozen=True, slots=True)
class Each:
    """A map: `over` is the parameter of the body that is the item."""

    over: str
    parallelism: int
    tolerated: int


@dataclass(frozen=True, slots=True)
class Loop:
    """A repeat. `carry` is None where the body is of another release: then names that are equal."""

    until: Condition
    maximum: int
    at_maximum: str
    carry: Mapping[str, str] | None
    seen: Node
    """The body as `until` sees it."""


@dataclass(frozen=True, slots=True, eq=False)
class Inner:
    """What a map, repeat or workflow step is."""

    body: Traced | Released
    form: Each | Loop | None = None

    @property
    def kind(self) -> str:
        return {Each: "map", Loop: "repeat"}.get(type(self.form), "workflow")


def call(
    trace: Trace, workflow: Workflow[..., Any], args: tuple[object, ...], kwargs: Mapping[str, object]
) -> Result:
    """Record a workflow that is called inside another one."""
    traced = of_workflow(workflow, trace)
    node = trace.add(Node(workflow.name, call_site(), Inner(traced), traced.declared), workflow.use)
    trace.give(node, tracing.arguments_of(trace, node, workflow.function, args, kwargs))
    return Result(node)


def call_released(trace: Trace, released: Released, inputs: Mapping[str, object]) -> Result:
    node = trace.add(Node(released.name, call_site(), Inner(released), None), released.use)
    trace.give(node, inputs)
    return Result(node)


def of_workflow(workflow: Workflow[..., Any], outer: Trace | None = None) -> Traced:
    """Trace a workflow. Never raises for what its function does; inside another one it is traced once."""
    _refuse_recursion(workflow, outer)
    if outer is not None and workflow.function in outer.bodies:
        return outer.bodies[workflow.function]
    parameters, problems = params.parameters_of(workflow.function, workflow.site)
    traced = Traced(
        name=workflow.name,
        site=workflow.site,
        title=workflow.title,
        description=workflow.description,
        on_failure=workflow.on_failure,
        scenes=workflow.scenes,
        parameters=parameters,
        problems=problems,
    )
    if outer is not None:
        outer.bodies[workflow.function] = traced
    if workflow.function.__code__.co_flags & NOT_PLAIN:
        message = "is async or a generator; it is traced as a plain function"
        problems.append(_problem("ILLEGAL_SIGNATURE", traced, message))
    if any(problem.rule == "ILLEGAL_SIGNATURE" for problem in problems):
        return traced
    trace = Trace(workflow.function, outer)
    try:
        returned = tracing.run(workflow.function, [one.name for one in parameters], trace)
        traced.outputs, is_record = _outputs(returned, traced)
    except AuthoringError as error:
        problems.extend([*trace.problems, *error.problems])
        return traced
    except Exception as error:  # noqa: BLE001  # the author's function may raise anything
        problems.extend([*trace.problems, _raised(error, traced)])
        return traced
    traced.trace = trace
    traced.declared = Outputs(tuple((name, "any") for name in traced.outputs), is_record)
    problems.extend(trace.problems)
    return traced


def of_step(
    step: Step[..., Any], names: Iterable[str], outer: Trace, *, defaulted: Iterable[str] = ()
) -> Traced:
    """The workflow that calls `step` with parameters of these names; `defaulted` are optional."""
    trace = Trace(step.function, outer)
    names = [*dict.fromkeys(names)]
    result = trace.call(step.plain(), (), {name: ParameterRef(name, trace) for name in names})
    trace.finish()
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(step.function).parameters.items()
        if name in defaulted and parameter.default is not inspect.Parameter.empty
    }
    return Traced(
        name=step.name,
        site=call_site(),
        title=step.title,
        parameters=[
            Param(name, step.input_types.get(name, "any"), Declaration(defaults.get(name, params.UNSET)))
            for name in names
        ],
        problems=trace.problems,
        trace=trace,
        outputs=fields_of(result) if step.outputs.fields else {},
        declared=step.outputs,
    )


def _refuse_recursion(workflow: Workflow[..., Any], trace: Trace | None) -> None:
    while trace is not None:
        if trace.function is workflow.function:
            message = "is called inside itself; what is to be repeated is written with fl.repeat"
            raise AuthoringError(
                Problem(
                    rule="RECURSIVE_WORKFLOW",
                    where=f"workflow {workflow.name}",
                    message=message,
                    site=call_site(),
                )
            )
        trace = trace.outer


def _outputs(returned: object, traced: Traced) -> tuple[dict[str, object], bool]:
    """The outputs of the run, from what the workflow function returned, and whether they have names."""
    if returned is None:
        return {}, False
    if isinstance(returned, Result):
        found = fields_of(returned)
        return found, list(found) != ["output"]
    if isinstance(returned, Placeholder):
        return {"output": returned}, False
    if hasattr(returned, "_asdict"):
        returned = returned._asdict()
    message = ""
    if not isinstance(returned, dict):
        message = "returns something else than a result, a dict of results or nothing"
    else:
        wrong = [name for name, value in returned.items() if not isinstance(value, Placeholder)]
        if wrong:
            message = f"returns {wrong[0]!r}, which is not a result of a step"
    if message:
        traced.problems.append(_problem("ILLEGAL_OUTPUT", traced, message))
        return {}, True
    assert isinstance(returned, dict)
    return returned, True


def _raised(error: Exception, traced: Traced) -> Problem:
    """The problem of a workflow function that raises by itself while it is traced."""
    frames = [
        Site(frame.filename, frame.lineno or 0)
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == traced.site.file
    ]
    message = f"raises {type(error).__name__} while it is traced: {error}"
    found = _problem("WORKFLOW_RAISED", traced, message)
    return Problem(rule=found.rule, where=found.where, message=message, site=frames[-1]) if frames else found


def _problem(rule: str, traced: Traced, message: str) -> Problem:
    return Problem(rule=rule, where=f"workflow {traced.name}", message=message, site=traced.site)


def parameter_names(function: Callable[..., object]) -> list[str]:
    """What can be given to `function` by name, in order."""
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    found = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in found if parameter.kind in by_name]
