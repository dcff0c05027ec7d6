"""From a declared graph to a plan: who needs whom, in which order; or every problem, each by name.

`compile` checks the whole graph and reports all problems together, so that an author mends a file once.
A plan refers to steps by their place in `graph.steps`, which makes the run's state a vector.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import UNSET, UnsetType

from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.spec import Binding, Expression, Graph, OutputRef, Parameter, Step
from foldline.domain.types import accepts, type_of_value

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
NAME_RULE = "1 to 64 characters, a letter first, then letters, digits, '_' or '-'"

COMPARISONS = frozenset({"==", "!=", ">", ">=", "<", "<=", "in"})


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


class Plan(msgspec.Struct, frozen=True):
    """What compiling yields. All tuples are indexed like `graph.steps`."""

    graph: Graph
    index: dict[str, int]
    needs: tuple[tuple[int, ...], ...]  # steps that must have finished before
    feeds: tuple[tuple[int, ...], ...]  # the other way round
    order: tuple[int, ...]  # a topological order, stable for equal graphs

    def step(self, name: str) -> Step:
        return self.graph.steps[self.index[name]]


def compile(graph: Graph) -> Plan:  # noqa: A001  # the word of the field; always used as dag.compile
    """Check `graph` and lay out its plan. Raises GraphError with every problem found."""
    problems = list(_check(graph))
    if problems:
        raise GraphError(tuple(problems))
    index = {step.name: place for place, step in enumerate(graph.steps)}
    needs = tuple(tuple(sorted({index[name] for name in _needed(step)})) for step in graph.steps)
    feeds: list[list[int]] = [[] for _ in graph.steps]
    for place, upstream in enumerate(needs):
        for other in upstream:
            feeds[other].append(place)
    order = _order(needs, feeds)
    if len(order) < len(graph.steps):
        raise GraphError((_cycle(graph, needs, set(order)),))
    return Plan(graph, index, needs, tuple(map(tuple, feeds)), order)


def references(step: Step) -> Iterator[OutputRef]:
    """Every output that a step takes a value from, by its inputs or its condition."""
    for binding in step.inputs.values():
        if binding.output is not UNSET:
            yield binding.output
    if step.condition is not UNSET:
        for binding in operands(step.condition):
            if binding.output is not UNSET:
                yield binding.output


def operands(expression: Expression) -> Iterator[Binding]:
    """Both sides of every comparison in an expression."""
    for side in (expression.left, expression.right):
        if side is not UNSET:
            yield side
    for term in expression.terms:
        yield from operands(term)


def _needed(step: Step) -> Iterator[str]:
    yield from (reference.step for reference in references(step))
    yield from step.after
    yield from (guard.step for guard in step.guards)


def _order(needs: tuple[tuple[int, ...], ...], feeds: list[list[int]]) -> tuple[int, ...]:
    open_needs = [len(upstream) for upstream in needs]
    order = [place for place, count in enumerate(open_needs) if count == 0]
    for place in order:
        for other in feeds[place]:
            open_needs[other] -= 1
            if open_needs[other] == 0:
                order.append(other)  # the list is the queue of Kahn's algorithm
    return tuple(order)


def _cycle(graph: Graph, needs: tuple[tuple[int, ...], ...], done: set[int]) -> Problem:
    """Walk backwards among the steps left over until one comes twice: that walk is a cycle."""
    place = next(place for place in range(len(needs)) if place not in done)
    path: list[int] = []
    while place not in path:
        path.append(place)
        place = next(other for other in needs[place] if other not in done)
    names = [graph.steps[other].name for other in reversed(path[path.index(place) :])]
    return Problem(
        "CYCLE", f"step {names[0]}", f"steps wait for each other: {' -> '.join([*names, names[0]])}"
    )


def _check(graph: Graph) -> Iterator[Problem]:
    if not graph.steps:
        yield Problem("NO_STEPS", f"workflow {graph.name}", "has no steps")
    yield from _check_names(graph)
    parameters = {parameter.name: parameter for parameter in graph.parameters}
    steps = {step.name: step for step in graph.steps}
    for parameter in graph.parameters:
        yield from _check_parameter(parameter)
    for step in graph.steps:
        yield from _check_step(step, steps, parameters)
    for name, binding in graph.outputs.items():
        for problem in _check_binding(binding, "any", steps, parameters):
            yield Problem(problem.rule, f"output {name} of the workflow", problem.message)


def _check_names(graph: Graph) -> Iterator[Problem]:
    named = [("workflow", [graph.name])]
    named.append(("parameter", [parameter.name for parameter in graph.parameters]))
    named.append(("step", [step.name for step in graph.steps]))
    named.extend(
        (f"step {step.name}, output", [output.name for output in step.outputs]) for step in graph.steps
    )
    for what, names in named:
        for name, count in Counter(names).items():
            if not NAME.fullmatch(name):
                yield Problem("ILLEGAL_NAME", f"{what} {name!r}", f"a name has {NAME_RULE}")
            if count > 1:
                yield Problem("DUPLICATE_NAME", f"{what} {name}", f"the name is used {count} times")


def _check_parameter(parameter: Parameter) -> Iterator[Problem]:
    where = f"parameter {parameter.name}"
    low, high = parameter.minimum, parameter.maximum
    if low is not UNSET and high is not UNSET and low > high:
        yield Problem("ILLEGAL_BOUNDS", where, f"minimum {low:g} is above maximum {high:g}")
    values = [] if parameter.default is UNSET else [("default", parameter.default)]
    values += [("choice", choice) for choice in parameter.choices]
    for what, value in values:
        if not accepts(parameter.type, type_of_value(value)):
            yield Problem(
                "TYPE_MISMATCH", where, f"{what} {value!r} is {type_of_value(value)}, not {parameter.type}"
            )
    if parameter.choices and parameter.default is not UNSET and parameter.default not in parameter.choices:
        yield Problem("NOT_A_CHOICE", where, f"default {parameter.default!r} is not among the choices")


def _check_step(step: Step, steps: dict[str, Step], parameters: dict[str, Parameter]) -> Iterator[Problem]:
    for rule, message in (
        *_kind_problems(step),
        *_policy_problems(step),
        *_order_problems(step, steps),
        *_guard_problems(step, steps),
        *_input_problems(step, steps, parameters),
    ):
        yield Problem(rule, f"step {step.name}", message)


def _kind_problems(step: Step) -> Iterator[tuple[str, str]]:
    if step.kind == "function" and step.function is UNSET:
        yield "NO_FUNCTION", "a step of kind function needs a function"
    if step.kind == "condition" and step.condition is UNSET:
        yield "NO_CONDITION", "a step of kind condition needs a condition"
    if step.condition is not UNSET:
        yield from _expression_problems(step.condition)


def _expression_problems(expression: Expression) -> Iterator[tuple[str, str]]:
    sides = (expression.left is not UNSET) + (expression.right is not UNSET)
    if expression.op in COMPARISONS:
        if sides != 2 or expression.terms:
            yield "ILLEGAL_CONDITION", f"'{expression.op}' compares exactly two values"
    elif sides or not expression.terms or (expression.op == "not" and len(expression.terms) != 1):
        count = "one condition" if expression.op == "not" else "one or more conditions"
        yield "ILLEGAL_CONDITION", f"'{expression.op}' takes {count} and no values"
    for term in expression.terms:
        yield from _expression_problems(term)


def _policy_problems(step: Step) -> Iterator[tuple[str, str]]:
    numbers = {
        "retry.max_attempts": step.retry.max_attempts,
        "retry.delay_seconds": step.retry.delay_seconds,
        "retry.multiplier": step.retry.multiplier,
        "retry.max_delay_seconds": step.retry.max_delay_seconds,
        "timeouts.run_seconds": step.timeouts.run_seconds,
        "timeouts.grace_seconds": step.timeouts.grace_seconds,
        "resources.cpu": step.resources.cpu,
        "resources.memory_bytes": step.resources.memory_bytes,
    }
    for name, value in numbers.items():
        if not 0 <= value < float("inf"):
            yield "ILLEGAL_POLICY", f"{name} is {value}, but must be 0 or more"


def _order_problems(step: Step, steps: dict[str, Step]) -> Iterator[tuple[str, str]]:
    for name in step.after:
        if name not in steps:
            yield "UNKNOWN_STEP", f"runs after {name}, which is not a step{_hint(name, steps)}"


def _guard_problems(step: Step, steps: dict[str, Step]) -> Iterator[tuple[str, str]]:
    for guard in step.guards:
        if guard.step not in steps:
            yield (
                "UNKNOWN_STEP",
                f"depends on condition {guard.step}, which is not a step{_hint(guard.step, steps)}",
            )
        elif steps[guard.step].kind != "condition":
            yield "ILLEGAL_GUARD", f"depends on the answer of {guard.step}, which is not a condition"


def _input_problems(
    step: Step, steps: dict[str, Step], parameters: dict[str, Parameter]
) -> Iterator[tuple[str, str]]:
    for name, binding in step.inputs.items():
        for problem in _check_binding(binding, step.input_types.get(name, "any"), steps, parameters):
            yield problem.rule, f"input {name} {problem.message}"
    if step.condition is not UNSET:
        for binding in operands(step.condition):
            for problem in _check_binding(binding, "any", steps, parameters):
                yield problem.rule, f"the condition {problem.message}"
        for reference in references(step):
            type_ = _output_type(reference, steps)
            if type_ in {"array", "table", "model", "image", "file"}:
                what = f"{reference.step}.{reference.name}, which is of type {type_}"
                yield "NOT_COMPARABLE", f"the condition compares {what}; only JSON values can be compared"


def _check_binding(
    binding: Binding, wanted: str, steps: dict[str, Step], parameters: dict[str, Parameter]
) -> Iterator[Problem]:
    given = [field for field in (binding.value, binding.parameter, binding.output) if field is not UNSET]
    if len(given) != 1:
        yield Problem("ILLEGAL_BINDING", "", "takes exactly one of a value, a parameter and an output")
        return
    if binding.parameter is not UNSET:
        found = parameters.get(binding.parameter)
        if found is None:
            hint = _hint(binding.parameter, parameters)
            yield Problem(
                "UNKNOWN_PARAMETER", "", f"takes {binding.parameter}, which is not a parameter{hint}"
            )
        elif not accepts(wanted, found.type):
            yield Problem("TYPE_MISMATCH", "", f"takes {wanted}, but parameter {found.name} is {found.type}")
    elif binding.output is not UNSET:
        yield from _check_output_ref(binding.output, wanted, steps)
    elif not accepts(wanted, type_of_value(binding.value)):
        actual = type_of_value(binding.value)
        yield Problem("TYPE_MISMATCH", "", f"takes {wanted}, but {binding.value!r} is {actual}")


def _check_output_ref(reference: OutputRef, wanted: str, steps: dict[str, Step]) -> Iterator[Problem]:
    if reference.step not in steps:
        hint = _hint(reference.step, steps)
        yield Problem("UNKNOWN_STEP", "", f"takes an output of {reference.step}, which is not a step{hint}")
        return
    actual = _output_type(reference, steps)
    if isinstance(actual, UnsetType):
        names = ", ".join(output.name for output in steps[reference.step].outputs) or "none"
        message = f"takes {reference.step}.{reference.name}, but {reference.step} has these outputs: {names}"
        yield Problem("UNKNOWN_OUTPUT", "", message)
    elif reference.path and actual not in {"json", "any"}:
        message = f"takes a key of {reference.step}.{reference.name}, which is {actual}, not json"
        yield Problem("TYPE_MISMATCH", "", message)
    elif not reference.path and not accepts(wanted, actual):
        message = f"takes {wanted}, but {reference.step}.{reference.name} is {actual}"
        yield Problem("TYPE_MISMATCH", "", message)


def _output_type(reference: OutputRef, steps: dict[str, Step]) -> str | UnsetType:
    step = steps.get(reference.step)
    found = [output.type for output in step.outputs if output.name == reference.name] if step else []
    return found[0] if found else UNSET


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
