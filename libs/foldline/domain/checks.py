"""The rules that a declared graph keeps; each broken one is a Problem that names the step and the rule.

Cycles are found when the plan is laid out (`dag`); the graphs inside steps are checked by `dag.compile`, too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from msgspec import UNSET, UnsetType

from foldline.domain import check_kinds
from foldline.domain.problems import Problem, hint
from foldline.domain.references import operands, references
from foldline.domain.spec import WORK_KINDS, Binding, Expression, Graph, OutputRef, Parameter, Step
from foldline.domain.types import accepts, type_of_value

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
NAME_RULE = "1 to 64 characters, a letter first, then letters, digits, '_' or '-'"

COMPARISONS = frozenset({"==", "!=", ">", ">=", "<", "<=", "in"})
FACTS = ("status", "step", "reason", "message")
BODY = ""
"""Stands for the body where Repeat.until names a step."""

_OPAQUE = frozenset({"array", "table", "model", "image", "file"})


def problems(graph: Graph) -> Iterator[Problem]:
    """Every rule that `graph` itself breaks."""
    if not graph.steps:
        yield Problem("NO_STEPS", f"workflow {graph.name}", "has no steps")
    if graph.on_failure not in ("", "stop", "continue"):
        yield Problem(
            "ILLEGAL_POLICY",
            f"workflow {graph.name}",
            f"on_failure is {graph.on_failure!r}: stop or continue",
        )
    yield from _names(graph)
    parameters = {parameter.name: parameter for parameter in graph.parameters}
    steps = {step.name: step for step in graph.steps}
    for parameter in graph.parameters:
        yield from parameter_problems(parameter)
    scope = _Scope(steps, parameters)
    for step in graph.steps:
        for rule, message in (
            *check_kinds.problems(step),
            *_expressions(step),
            *_order(step, scope),
            *_inputs(step, scope),
        ):
            yield Problem(rule, f"step {step.name}", message)
    for name, binding in graph.outputs.items():
        for problem in scope.binding(binding, "any"):
            yield Problem(problem.rule, f"output {name} of the workflow", problem.message)
    for scene in graph.scenes:
        for name in scene.steps:
            if name not in steps:
                message = f"names {name}, which is not a step{hint(name, steps)}"
                yield Problem("UNKNOWN_STEP", f"scene {scene.name}", message)


def _names(graph: Graph) -> Iterator[Problem]:
    named = [("workflow", [graph.name])]
    named.append(("parameter", [parameter.name for parameter in graph.parameters]))
    named.append(("step", [step.name for step in graph.steps]))
    named.append(("scene", [scene.name for scene in graph.scenes]))
    named.extend(
        (f"step {step.name}, output", [output.name for output in step.outputs]) for step in graph.steps
    )
    for what, names in named:
        for name, count in Counter(names).items():
            if not NAME.fullmatch(name):
                yield Problem("ILLEGAL_NAME", f"{what} {name!r}", f"a name has {NAME_RULE}")
            if count > 1:
                yield Problem("DUPLICATE_NAME", f"{what} {name}", f"the name is used {count} times")


def parameter_problems(parameter: Parameter, what: str = "parameter") -> Iterator[Problem]:
    """What is wrong with the declaration of a parameter, or of a field of a wait step."""
    where = f"{what} {parameter.name}"
    low, high = parameter.minimum, parameter.maximum
    if low is not UNSET and high is not UNSET and low > high:
        yield Problem("ILLEGAL_BOUNDS", where, f"minimum {low:g} is above maximum {high:g}")
    values = [] if parameter.default is UNSET else [("default", parameter.default)]
    values += [("choice", choice) for choice in parameter.choices]
    for kind, value in values:
        if not accepts(parameter.type, type_of_value(value)):
            yield Problem(
                "TYPE_MISMATCH", where, f"{kind} {value!r} is {type_of_value(value)}, not {parameter.type}"
            )
    if parameter.choices and parameter.default is not UNSET and parameter.default not in parameter.choices:
        yield Problem("NOT_A_CHOICE", where, f"default {parameter.default!r} is not among the choices")


def _expressions(step: Step) -> Iterator[tuple[str, str]]:
    for expression, _ in _expressions_of(step):
        yield from _expression_problems(expression)


def _expressions_of(step: Step) -> Iterator[tuple[Expression, str]]:
    """The conditions of a step, each with what it is called."""
    if step.condition is not UNSET:
        yield step.condition, "the condition"
    if step.skip_when is not UNSET:
        yield step.skip_when, "the skip condition"
    if step.repeat is not UNSET:
        yield step.repeat.until, "the end condition"


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


def _order(step: Step, scope: _Scope) -> Iterator[tuple[str, str]]:
    steps = scope.steps
    for name in step.after:
        if name not in steps:
            yield "UNKNOWN_STEP", f"runs after {name}, which is not a step{hint(name, steps)}"
    for guard in step.guards:
        if guard.step not in steps:
            message = f"depends on condition {guard.step}, which is not a step{hint(guard.step, steps)}"
            yield "UNKNOWN_STEP", message
        elif steps[guard.step].kind != "condition":
            yield "ILLEGAL_GUARD", f"depends on the answer of {guard.step}, which is not a condition"
    named = {*step.after, *(guard.step for guard in step.guards)}
    named.update(reference.step for reference in references(step))
    for name in sorted(named):
        if not step.handles and name in steps and steps[name].handles:
            yield "HANDLER_NEEDED", f"needs {name}, a handler, which runs when the main part has ended"


def _inputs(step: Step, scope: _Scope) -> Iterator[tuple[str, str]]:
    for name, binding in step.inputs.items():
        wanted = step.input_types.get(name, "any")
        for problem in scope.binding(binding, wanted, in_handler=bool(step.handles)):
            yield problem.rule, f"input {name} {problem.message}"
    body = _outputs_of(step)
    for expression, what in _expressions_of(step):
        for binding in operands(expression):
            for rule, message in _operand(binding, scope, body):
                yield rule, f"{what} {message}"


def _operand(binding: Binding, scope: _Scope, body: set[str]) -> Iterator[tuple[str, str]]:
    if binding.output is not UNSET and binding.output.step == BODY:
        if binding.output.name not in body:
            names = ", ".join(sorted(body)) or "none"
            yield (
                "UNKNOWN_OUTPUT",
                f"takes {binding.output.name} of the body, which has these outputs: {names}",
            )
        return
    for problem in scope.binding(binding, "any", in_handler=True):
        yield problem.rule, problem.message
    if binding.output is not UNSET:
        type_ = scope.output_type(binding.output)
        if type_ in _OPAQUE:
            what = f"{binding.output.step}.{binding.output.name}, which is of type {type_}"
            yield "NOT_COMPARABLE", f"compares {what}; only JSON values can be compared"


def _outputs_of(step: Step) -> set[str]:
    return set() if step.body is UNSET else set(step.body.graph.outputs)


class _Scope:
    """What the steps of one graph can point at."""

    def __init__(self, steps: dict[str, Step], parameters: dict[str, Parameter]) -> None:
        self.steps = steps
        self.parameters = parameters

    def binding(self, binding: Binding, wanted: str, *, in_handler: bool = False) -> Iterator[Problem]:
        sources = (
            *(binding.value, binding.parameter, binding.output),
            *(binding.merge, binding.metric, binding.fact),
        )
        if sum(source is not UNSET for source in sources) != 1:
            yield Problem(
                "ILLEGAL_BINDING",
                "",
                "takes exactly one of a value, a parameter, an output, a metric, a fact",
            )
        elif binding.parameter is not UNSET:
            yield from self._parameter(binding.parameter, wanted)
        elif binding.output is not UNSET:
            yield from self._output(binding.output, wanted)
        elif binding.merge is not UNSET:
            for reference in binding.merge.outputs:
                yield from self._output(reference, wanted)
        elif binding.metric is not UNSET:
            yield from self._metric(binding.metric.step, wanted)
        elif binding.fact is not UNSET:
            if binding.fact not in FACTS or not in_handler:
                message = f"takes fact {binding.fact}; handlers alone have facts: {', '.join(FACTS)}"
                yield Problem("ILLEGAL_FACT", "", message)
        elif not accepts(wanted, type_of_value(binding.value)):
            actual = type_of_value(binding.value)
            yield Problem("TYPE_MISMATCH", "", f"takes {wanted}, but {binding.value!r} is {actual}")

    def output_type(self, reference: OutputRef) -> str | UnsetType:
        step = self.steps.get(reference.step)
        found = [output.type for output in step.outputs if output.name == reference.name] if step else []
        return found[0] if found else UNSET

    def _parameter(self, name: str, wanted: str) -> Iterator[Problem]:
        found = self.parameters.get(name)
        if found is None:
            message = f"takes {name}, which is not a parameter{hint(name, self.parameters)}"
            yield Problem("UNKNOWN_PARAMETER", "", message)
        elif not accepts(wanted, found.type):
            yield Problem("TYPE_MISMATCH", "", f"takes {wanted}, but parameter {found.name} is {found.type}")

    def _metric(self, name: str, wanted: str) -> Iterator[Problem]:
        if name not in self.steps:
            message = f"takes a metric of {name}, which is not a step{hint(name, self.steps)}"
            yield Problem("UNKNOWN_STEP", "", message)
        elif self.steps[name].kind not in WORK_KINDS:
            yield Problem("NO_METRICS", "", f"takes a metric of {name}, which runs on no executor")
        elif not accepts(wanted, "float"):
            yield Problem("TYPE_MISMATCH", "", f"takes {wanted}, but a metric is float")

    def _output(self, reference: OutputRef, wanted: str) -> Iterator[Problem]:
        if reference.step not in self.steps:
            message = (
                f"takes an output of {reference.step}, which is not a step{hint(reference.step, self.steps)}"
            )
            yield Problem("UNKNOWN_STEP", "", message)
            return
        actual = self.output_type(reference)
        if isinstance(actual, UnsetType):
            names = ", ".join(output.name for output in self.steps[reference.step].outputs) or "none"
            message = (
                f"takes {reference.step}.{reference.name}, but {reference.step} has these outputs: {names}"
            )
            yield Problem("UNKNOWN_OUTPUT", "", message)
        elif reference.path and actual not in {"json", "any", "list"}:
            message = f"takes a key of {reference.step}.{reference.name}, which is {actual}, not json"
            yield Problem("TYPE_MISMATCH", "", message)
        elif not reference.path and not accepts(wanted, actual):
            message = f"takes {wanted}, but {reference.step}.{reference.name} is {actual}"
            yield Problem("TYPE_MISMATCH", "", message)
