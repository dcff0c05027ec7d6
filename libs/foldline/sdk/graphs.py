"""From a traced workflow to the domain's graph, and every problem on the way with its place in the file."""

from __future__ import annotations

import difflib
import inspect
import traceback
from collections.abc import Iterator, Mapping
from typing import cast

import msgspec
from msgspec import UNSET

from foldline.domain import dag, spec
from foldline.sdk import params, tracing
from foldline.sdk.author import Policy, Workflow
from foldline.sdk.conditions import Condition
from foldline.sdk.problems import AuthoringError, Problem, Site
from foldline.sdk.references import OutputRef, ParameterRef, Placeholder, Result
from foldline.sdk.tracing import Node, Trace

_NOT_PLAIN = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


class Checked(msgspec.Struct, frozen=True):
    """A workflow after checking: its graph where there is one, and all problems in the file's order."""

    workflow: Workflow
    graph: spec.Graph | None
    problems: tuple[Problem, ...]

    def require(self) -> spec.Graph:
        """The graph; raises AuthoringError with every problem."""
        if self.problems or self.graph is None:
            raise AuthoringError(*self.problems)
        return self.graph


def check(workflow: Workflow) -> Checked:
    """Trace `workflow`, make its graph and compile it. Never raises for what the author did."""
    parameters, problems = params.parameters_of(workflow.function, workflow.site)
    names = [parameter.name for parameter in parameters]
    if workflow.function.__code__.co_flags & _NOT_PLAIN:
        message = "is async or a generator; it is traced as a plain function"
        where = f"workflow {workflow.name}"
        problems.append(Problem(rule="ILLEGAL_SIGNATURE", where=where, message=message, site=workflow.site))
    if any(problem.rule == "ILLEGAL_SIGNATURE" for problem in problems):
        return Checked(workflow, None, tuple(problems))
    try:
        # A parameter whose declaration is wrong is traced all the same: more problems in one go.
        broken = [problem.where.removeprefix("parameter ") for problem in problems]
        trace, returned = tracing.run(workflow.function, list(dict.fromkeys([*names, *broken])))
    except AuthoringError as error:
        return Checked(workflow, None, (*problems, *error.problems))
    except Exception as error:  # noqa: BLE001  # the author's function may raise anything
        return Checked(workflow, None, (*problems, _raised(error, workflow)))
    problems += trace.problems
    problems += _signature_problems(trace)
    builder = _Builder(trace)
    try:
        steps = tuple(builder.step(node) for node in trace.nodes)
        graph = spec.Graph(
            name=workflow.name,
            title=workflow.title,
            description=workflow.description,
            parameters=tuple(_parameter(one) for one in parameters),
            steps=steps,
            outputs=builder.outputs(returned, workflow),
        )
    except AuthoringError as error:
        return Checked(workflow, None, (*problems, *error.problems))
    problems += builder.problems
    if not any(problem.rule == "PARAMETER_TYPE" for problem in problems):
        problems += _compile_problems(graph, trace, workflow)
    return Checked(workflow, graph, tuple(sorted(problems, key=lambda one: (one.site.file, one.site.line))))


def _raised(error: Exception, workflow: Workflow) -> Problem:
    """The problem of a workflow function that raises by itself while it is traced."""
    frames = [
        Site(frame.filename, frame.lineno or 0)
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == workflow.site.file
    ]
    message = f"raises {type(error).__name__} while it is traced: {error}"
    site = frames[-1] if frames else workflow.site
    return Problem(rule="WORKFLOW_RAISED", where=f"workflow {workflow.name}", message=message, site=site)


def _compile_problems(graph: spec.Graph, trace: Trace, workflow: Workflow) -> Iterator[Problem]:
    """What the compiler finds, placed at the line of the step it names."""
    try:
        dag.compile(graph)
    except dag.GraphError as error:
        sites = {node.name: node.site for node in reversed(trace.nodes)}
        later = {node.name: node.site for node in trace.nodes}
        for problem in error.problems:
            known = later if problem.rule == "DUPLICATE_NAME" else sites
            name = problem.where.removeprefix("step ").partition(",")[0].strip("'")
            site = known.get(name, workflow.site) if problem.where.startswith("step ") else workflow.site
            yield Problem(rule=problem.rule, where=problem.where, message=problem.message, site=site)


def _signature_problems(trace: Trace) -> Iterator[Problem]:
    """Steps that an executor could not find or call."""
    seen = set()
    for node in trace.nodes:
        if node.step is None or node.step.function in seen:
            continue
        function = node.step.function
        seen.add(function)
        site = Site(function.__code__.co_filename, function.__code__.co_firstlineno)
        where = f"step {node.label}"
        if "<" in function.__qualname__ or "." in function.__qualname__:
            message = (
                f"{function.__qualname__} is not at the top of a module, where an executor could import it"
            )
            yield Problem(rule="STEP_NOT_IMPORTABLE", where=where, message=message, site=site)
        # Flags of the code object: inspect.signature would follow __wrapped__.
        flags = function.__code__.co_flags
        if flags & inspect.CO_VARARGS or function.__code__.co_posonlyargcount:
            message = "takes arguments by position alone (*args or /), but inputs are passed by name"
            yield Problem(rule="ILLEGAL_SIGNATURE", where=where, message=message, site=site)
        if flags & _NOT_PLAIN:
            message = "is async or a generator; a step is a plain function that returns its result"
            yield Problem(rule="ILLEGAL_SIGNATURE", where=where, message=message, site=site)


class _Builder:
    """Makes the domain's values of a trace's."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self.problems: list[Problem] = []

    def step(self, node: Node) -> spec.Step:
        guards: tuple[spec.Guard, ...] = ()
        if node.branch is not None:
            guards = (spec.Guard(step=node.branch.condition.name, branch=node.branch.answer),)
        if node.step is None:
            return spec.Step(
                name=node.name,
                kind="condition",
                guards=guards,
                condition=self._expression(cast("Condition", node.condition)),
            )
        step = node.step
        inputs = {name: self._binding(value) for name, value in node.arguments.items()}
        return spec.Step(
            name=node.name,
            kind="function",
            title=step.title,
            description=(step.function.__doc__ or "").strip().partition("\n\n")[0],
            function=spec.Function(module=step.function.__module__, name=step.function.__name__),
            inputs=inputs,
            input_types=_types({name: step.input_types.get(name, "any") for name in inputs}),
            outputs=tuple(
                spec.Output(name=name, type=cast("spec.ValueType", kind))
                for name, kind in step.outputs.fields
            ),
            after=tuple(dict.fromkeys(self._other(node, other) for other in node.others)),
            guards=guards,
            retry=_retry(step.policy),
            timeouts=spec.Timeouts(run_seconds=step.policy.run_timeout, grace_seconds=step.policy.grace),
            resources=spec.Resources(
                pool=step.policy.pool, cpu=step.policy.cpu, memory_bytes=step.policy.memory_bytes
            ),
            allow_pickle=step.policy.allow_pickle,
        )

    def outputs(self, returned: object, workflow: Workflow) -> dict[str, spec.Binding]:
        """The outputs of the run, from what the workflow function returned."""
        if returned is None:
            return {}
        if isinstance(returned, Placeholder):
            returned = {"output": returned}
        elif hasattr(returned, "_asdict"):
            returned = returned._asdict()
        message = ""
        if not isinstance(returned, dict):
            message = "returns something else than a result, a dict of results or nothing"
        elif wrong := [
            name for name, value in returned.items() if not isinstance(value, (Result, OutputRef))
        ]:
            message = f"returns {wrong[0]!r}, which is not a result of a step"
        if message:
            where = f"workflow {workflow.name}"
            self.problems.append(
                Problem(rule="ILLEGAL_OUTPUT", where=where, message=message, site=workflow.site)
            )
            return {}
        return {name: self._binding(value) for name, value in cast("dict[str, object]", returned).items()}

    def _binding(self, value: object) -> spec.Binding:
        if isinstance(value, Result):
            value = value.single()
        if isinstance(value, ParameterRef):
            return spec.Binding(parameter=value.name)
        if isinstance(value, OutputRef):
            return spec.Binding(output=spec.OutputRef(step=value.node.name, name=value.name, path=value.path))
        return spec.Binding(value=_plain(value))

    def _expression(self, condition: Condition) -> spec.Expression:
        op = cast("spec.Operator", condition.op)
        if condition.terms:
            return spec.Expression(op=op, terms=tuple(self._expression(term) for term in condition.terms))
        return spec.Expression(
            op=op, left=self._binding(condition.left), right=self._binding(condition.right)
        )

    def _other(self, node: Node, other: object) -> str:
        if isinstance(other, Result):
            return other._node.name  # noqa: SLF001  # hidden from authors, since outputs are attributes
        if isinstance(other, OutputRef):
            return other.node.name
        if isinstance(other, str):
            return other
        names = [one.name for one in self._trace.nodes]
        close = difflib.get_close_matches(repr(other), names, n=1)
        raise AuthoringError(
            Problem(
                rule="ILLEGAL_AFTER",
                where=f"step {node.name}",
                message=f"runs after {other!r}, which is neither a result nor a step's name"
                + (f"; did you mean {close[0]!r}?" if close else ""),
                site=node.site,
            )
        )


def _types(kinds: Mapping[str, str]) -> dict[str, spec.ValueType]:
    return {name: cast("spec.ValueType", kind) for name, kind in kinds.items() if kind != "any"}


def _retry(policy: Policy) -> spec.Retry:
    if policy.retry is None:
        return spec.Retry()
    never = (one if isinstance(one, str) else _class_name(one) for one in policy.retry.never_after)
    return spec.Retry(
        max_attempts=policy.retry.max_attempts,
        delay_seconds=policy.retry.delay,
        multiplier=policy.retry.multiplier,
        max_delay_seconds=policy.retry.max_delay,
        never_after=tuple(never),
    )


def _class_name(kind: type[BaseException]) -> str:
    """As the step's process names what was raised."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _parameter(found: params.Param) -> spec.Parameter:
    declared = found.declared
    return spec.Parameter(
        name=found.name,
        type=cast("spec.ParameterType", found.type),
        title=declared.title,
        description=declared.help,
        default=UNSET if declared.default is params.UNSET else _default(found),
        minimum=UNSET if declared.ge is None else float(declared.ge),
        maximum=UNSET if declared.le is None else float(declared.le),
        choices=tuple(_plain(choice) for choice in declared.choices),
    )


def _default(found: params.Param) -> spec.Json:
    default = found.declared.default
    if found.type == "float" and isinstance(default, int) and not isinstance(default, bool):
        return float(default)
    return _plain(default)


def _plain(value: object) -> spec.Json:
    """Tuples as lists, the way JSON gives them back."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
