"""Partial runs: which steps a selection means, and whether these steps can run without the others.

`select` gives the steps of RunCreated.selection, `check_selection` what is missing for them, and
`required_parameters` what somebody who starts the run has to give.

Handlers hang on no step; they come along with `from` and `until`, since they
are about how the run ends, but not where steps are listed one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import UNSET

from foldline.domain import dag
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.problems import Problem, hint
from foldline.domain.references import bindings, needed_parameters, references_of
from foldline.domain.relations import Reuse
from foldline.domain.spec import Binding, Graph, MetricRef, OutputRef, Parameter, Step


def select(
    graph: Graph,
    only: Sequence[str] = (),
    from_: Sequence[str] = (),
    until: Sequence[str] = (),
    scene: str = "",
) -> tuple[str, ...]:
    """The steps meant, in the graph's order; none at all where nothing is chosen: then every step runs.

    `only` are these steps; `from_` these and all that hangs on them; `until` these and all they need. Several
    mean what is in all of them. Raises NOT_FOUND for a name that there is not, and INVALID.
    """
    if scene:
        if only or from_ or until:
            message = f"scene {scene} says which steps run; only, from and until cannot be given with it"
            raise FoldlineError(Kind.INVALID, "ILLEGAL_SELECTION", message)
        only = _scene(graph, scene)
    if not (only or from_ or until):
        return ()
    plan = dag.lay_out(graph)
    for name in (*only, *from_, *until):
        if name not in plan.index:
            message = f"workflow {graph.name} has no step {name}{hint(name, plan.index)}"
            raise FoldlineError(Kind.NOT_FOUND, "UNKNOWN_STEP", message)
    chosen = set(range(len(graph.steps)))
    if only:
        chosen &= {plan.index[name] for name in only}
    if from_:
        chosen &= _closure(plan.feeds, (plan.index[name] for name in from_)) | set(plan.handlers)
    if until:
        chosen &= _closure(plan.needs, (plan.index[name] for name in until)) | set(plan.handlers)
    if not chosen.difference(plan.handlers if from_ or until else ()):
        message = "no step is in all of what was chosen by only, from and until"
        raise FoldlineError(Kind.INVALID, "NOTHING_SELECTED", message)
    return tuple(step.name for place, step in enumerate(graph.steps) if place in chosen)


def check_selection(
    graph: Graph, selection: Sequence[str], given: Mapping[str, Reuse] | None = None
) -> tuple[Problem, ...]:
    """UNSELECTED_INPUT for all that selected steps take from steps that neither run nor are in `given`."""
    if not selection:
        return ()
    scope = _Scope(frozenset(selection), given or {})
    return tuple(
        problem for step in graph.steps if step.name in scope.chosen for problem in scope.check(step)
    )


def require(graph: Graph, selection: Sequence[str], given: Mapping[str, Reuse] | None = None) -> None:
    """Raises INVALID UNSELECTED_INPUT with every problem."""
    problems = check_selection(graph, selection, given)
    if problems:
        sentences = "; ".join(f"{one.where}: {one.message}" for one in problems)
        raise FoldlineError(Kind.INVALID, problems[0].rule, sentences)


def required_parameters(graph: Graph, selection: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the parameters that need a value before the run: those that the selected steps look at."""
    return tuple(one.name for one in parameters_of(graph, selection) if one.is_required)


def parameters_of(graph: Graph, selection: Sequence[str], given: Iterable[str] = ()) -> tuple[Parameter, ...]:
    """The parameters that a run of the selected steps has; those that have a value in `given` in any case."""
    needed = needed_parameters(graph, set(selection)) if selection else {one.name for one in graph.parameters}
    needed |= set(given)
    return tuple(one for one in graph.parameters if one.name in needed or not one.is_required)


def _scene(graph: Graph, name: str) -> tuple[str, ...]:
    for scene in graph.scenes:
        if scene.name == name:
            return scene.steps
    names = [scene.name for scene in graph.scenes]
    known = f"it has {', '.join(names)}" if names else "it has none"
    message = f"workflow {graph.name} has no scene {name}{hint(name, names)}; {known}"
    raise FoldlineError(Kind.NOT_FOUND, "UNKNOWN_SCENE", message)


def _closure(edges: tuple[tuple[int, ...], ...], start: Iterable[int]) -> set[int]:
    found = list(dict.fromkeys(start))
    seen = set(found)
    for place in found:
        for other in edges[place]:
            if other not in seen:
                seen.add(other)
                found.append(other)  # the list is the queue
    return seen


class _Scope:
    """What a partial run has."""

    def __init__(self, chosen: frozenset[str], given: Mapping[str, Reuse]) -> None:
        self.chosen = chosen
        self._given = given

    def check(self, step: Step) -> Iterator[Problem]:
        if step.handles:
            return  # a handler without what it takes is skipped
        for binding in bindings(step):
            missing = [one for one in references_of(binding) if not self._has(one)]
            if not missing or (binding.merge is not UNSET and len(missing) < len(binding.merge.outputs)):
                continue
            yield Problem("UNSELECTED_INPUT", f"step {step.name}", self._sentence(binding, missing))

    def _has(self, reference: OutputRef | MetricRef) -> bool:
        given = self._given.get(reference.step)
        if given is None:
            return reference.step in self.chosen
        found = given.metrics if isinstance(reference, MetricRef) else given.outputs
        return reference.name in found

    def _sentence(self, binding: Binding, missing: list[OutputRef | MetricRef]) -> str:
        first = missing[0]
        if binding.merge is not UNSET:
            names = ", ".join(f"{one.step}.{one.name}" for one in missing)
            return f"takes one of {names}, but none of these steps is selected or given by an earlier run"
        what = f"metric {first.name} of {first.step}" if binding.metric is not UNSET else _name(first)
        if first.step in self._given:
            return f"takes {what}, which the earlier run did not give"
        return f"takes {what}, but {first.step} is not selected, and no earlier run gives it"


def _name(reference: OutputRef | MetricRef) -> str:
    return f"{reference.step}.{reference.name}"
