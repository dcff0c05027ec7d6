"""From a declared graph to a plan: who needs whom, in which order; or every problem, each by name.

`compile` checks the whole graph and reports all problems together, so that an author mends a file once. A
plan refers to steps by their place in `graph.steps`, which makes the run's state a vector. `replicate` is
the graph of a map's child: the body once for each item.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from foldline.domain import checks
from foldline.domain.problems import GraphError, Problem
from foldline.domain.references import operands, references
from foldline.domain.spec import Binding, Expression, Graph, Guard, Merge, MetricRef, OutputRef, Step

__all__ = ["GraphError", "Plan", "Problem", "compile", "operands", "references", "replicate"]


T = TypeVar("T")


class Plan(msgspec.Struct, frozen=True):
    """What compiling yields. All tuples are indexed like `graph.steps`."""

    graph: Graph
    index: dict[str, int]
    needs: tuple[tuple[int, ...], ...]  # steps that must have finished before
    feeds: tuple[tuple[int, ...], ...]  # the other way round
    order: tuple[int, ...]  # a topological order, stable for equal graphs
    handlers: tuple[int, ...] = ()  # steps that are no part of the main part
    has_timeouts: bool = False  # of queue or total: somebody has to look at the clock
    has_cache: bool = False
    has_bodies: bool = False

    def step(self, name: str) -> Step:
        return self.graph.steps[self.index[name]]


class _Lately(Generic[T]):
    """What was found out about a few graphs, by identity: runs of a release share its graph, and to compare
    two would cost as much as to find out again. Graphs and answers never change.
    """

    def __init__(self) -> None:
        self._found: dict[int, tuple[Graph, T]] = {}

    def get(self, graph: Graph) -> T | None:
        of, answer = self._found.get(id(graph), (None, None))
        return answer if of is graph else None

    def keep(self, graph: Graph, answer: T) -> T:
        if len(graph.steps) <= _MOST_STEPS:
            while len(self._found) >= _KEPT:
                del self._found[next(iter(self._found))]
            self._found[id(graph)] = (graph, answer)
        return answer


_KEPT = 64
_MOST_STEPS = 500
_keep_the_rules: _Lately[bool] = _Lately()
_plans: _Lately[Plan] = _Lately()


def compile(graph: Graph) -> Plan:  # noqa: A001  # the word of the field; always used as dag.compile
    """Check `graph` and the bodies in it, and lay out its plan. Raises GraphError with every problem."""
    check(graph)
    return lay_out(graph)


def check(graph: Graph) -> None:
    """Raises GraphError with every problem but for a cycle."""
    if _keep_the_rules.get(graph):
        return
    problems = list(checks.problems(graph))
    for step in graph.steps:
        problems += _body_problems(step)
    if problems:
        raise GraphError(tuple(problems))
    _keep_the_rules.keep(graph, True)


def lay_out(graph: Graph) -> Plan:
    """The plan of a graph that keeps the rules. Raises GraphError for a cycle, which only shows here."""
    return _plans.get(graph) or _plans.keep(graph, _laid_out(graph))


def _laid_out(graph: Graph) -> Plan:
    index = {step.name: place for place, step in enumerate(graph.steps)}
    needs = tuple(
        tuple(sorted({index[name] for name in _needed(step, graph, index)})) for step in graph.steps
    )
    feeds: list[list[int]] = [[] for _ in graph.steps]
    for place, upstream in enumerate(needs):
        for other in upstream:
            feeds[other].append(place)
    order = _order(needs, feeds)
    if len(order) < len(graph.steps):
        raise GraphError((_cycle(graph, needs, set(order)),))
    handlers = tuple(place for place, step in enumerate(graph.steps) if step.handles)
    timed = any(step.timeouts.queue_seconds or step.timeouts.total_seconds for step in graph.steps)
    cached = any(step.cache for step in graph.steps)
    bodies = any(step.body is not UNSET for step in graph.steps)
    return Plan(graph, index, needs, tuple(map(tuple, feeds)), order, handlers, timed, cached, bodies)


def replicate(body: Graph, *, over: str, first: int, count: int) -> Graph:
    """The body `count` times, its steps named step.n and the parameter `over` named over.n, n from `first`.

    Items do not depend on each other. The graph's own outputs are left out: `children` collects them.
    """
    steps = tuple(
        _numbered(step, over, number) for number in range(first, first + count) for step in body.steps
    )
    return replace(body, steps=steps, outputs={})


def numbered(name: str, number: int) -> str:
    """The name of a step, or of the item itself, in the part of a map's child that is for one item."""
    return f"{name}.{number}"


def renumbered(binding: Binding, over: str, number: int) -> Binding:
    """A binding of the body as it is in the part for one item."""
    return _Renumber(over, number).binding(binding)


def _body_problems(step: Step) -> Iterator[Problem]:
    if step.body is UNSET:
        return
    try:
        compile(step.body.graph)
    except GraphError as error:
        for problem in error.problems:
            yield Problem(
                problem.rule, f"step {step.name}", f"in its body, {problem.where}: {problem.message}"
            )


def _needed(step: Step, graph: Graph, index: dict[str, int]) -> Iterator[str]:
    """Handlers run when the main part has ended: of the steps they name, only handlers are waited for."""
    named = [reference.step for reference in references(step)]
    named += step.after
    named += [guard.step for guard in step.guards]
    for name in named:
        if not step.handles or graph.steps[index[name]].handles:
            yield name


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


def _numbered(step: Step, over: str, number: int) -> Step:
    renumber = _Renumber(over, number)
    return replace(
        step,
        name=numbered(step.name, number),
        inputs={name: renumber.binding(one) for name, one in step.inputs.items()},
        after=tuple(numbered(name, number) for name in step.after),
        guards=tuple(Guard(step=numbered(one.step, number), branch=one.branch) for one in step.guards),
        condition=UNSET if step.condition is UNSET else renumber.expression(step.condition),
        skip_when=UNSET if step.skip_when is UNSET else renumber.expression(step.skip_when),
        repeat=(
            UNSET
            if step.repeat is UNSET
            else replace(step.repeat, until=renumber.expression(step.repeat.until))
        ),
    )


class _Renumber:
    """Rewrites what points at other steps of the same item, or at the item."""

    def __init__(self, over: str, number: int) -> None:
        self._over = over
        self._number = number

    def binding(self, binding: Binding) -> Binding:
        if binding.parameter == self._over:
            return Binding(parameter=numbered(self._over, self._number))
        if binding.output is not UNSET:
            return Binding(output=self._output(binding.output))
        if binding.merge is not UNSET:
            return Binding(merge=Merge(outputs=tuple(map(self._output, binding.merge.outputs))))
        if binding.metric is not UNSET:
            step = numbered(binding.metric.step, self._number)
            return Binding(metric=MetricRef(step=step, name=binding.metric.name))
        return binding

    def expression(self, expression: Expression) -> Expression:
        return replace(
            expression,
            left=UNSET if expression.left is UNSET else self.binding(expression.left),
            right=UNSET if expression.right is UNSET else self.binding(expression.right),
            terms=tuple(map(self.expression, expression.terms)),
        )

    def _output(self, reference: OutputRef) -> OutputRef:
        # Without a step it is the body inside Repeat.until.
        step = numbered(reference.step, self._number) if reference.step else ""
        return replace(reference, step=step)
