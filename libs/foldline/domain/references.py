"""What a declared step points at: the outputs and metrics of other steps, in its inputs and conditions."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from foldline.domain.spec import Binding, Expression, Graph, Merge, MetricRef, OutputRef, Step


def bindings(step: Step) -> Iterator[Binding]:
    """Every place from which the step takes a value before it starts."""
    yield from step.inputs.values()
    for expression in (step.condition, step.skip_when):
        if expression is not UNSET:
            yield from operands(expression)
    if step.repeat is not UNSET:
        for operand in operands(step.repeat.until):
            if operand.output is UNSET or operand.output.step:
                yield operand


def references(step: Step) -> Iterator[OutputRef | MetricRef]:
    """Every output and metric of another step that the step looks at, the alternatives of a merge too."""
    for binding in bindings(step):
        yield from references_of(binding)


def references_of(binding: Binding) -> Iterator[OutputRef | MetricRef]:
    if binding.output is not UNSET:
        yield binding.output
    elif binding.merge is not UNSET:
        yield from binding.merge.outputs
    elif binding.metric is not UNSET:
        yield binding.metric


def required_steps(step: Step) -> Iterator[str]:
    """Steps that the step cannot do without: those of its inputs and condition, not those it merges or only
    looks at in its skip condition."""
    conditions = [] if step.condition is UNSET else list(operands(step.condition))
    for binding in (*step.inputs.values(), *conditions):
        if binding.merge is UNSET:
            yield from (reference.step for reference in references_of(binding))


def merges(step: Step) -> Iterator[Merge]:
    """The merges among its inputs and conditions."""
    for binding in bindings(step):
        if binding.merge is not UNSET:
            yield binding.merge


def other_steps(step: Step) -> set[str]:
    """Steps before this one otherwise than as an alternative of a merge."""
    looked_at = (
        one for binding in bindings(step) if binding.merge is UNSET for one in references_of(binding)
    )
    return {*(one.step for one in looked_at), *step.after, *(guard.step for guard in step.guards)}


def parameters(step: Step) -> Iterator[str]:
    """Names of the run's parameters that the step looks at."""
    for binding in bindings(step):
        if binding.parameter is not UNSET:
            yield binding.parameter


def operands(expression: Expression) -> Iterator[Binding]:
    """Both sides of every comparison in an expression."""
    for side in (expression.left, expression.right):
        if side is not UNSET:
            yield side
    for term in expression.terms:
        yield from operands(term)


def needed_parameters(graph: Graph, steps: set[str] | None = None) -> set[str]:
    """Parameters that these steps look at; None means all steps."""
    return {name for step in graph.steps if steps is None or step.name in steps for name in parameters(step)}
