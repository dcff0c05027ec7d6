"""What a workflow means, computed straight from its declaration by recursion: no events, no state, no order.

Written from the documented rules (the comments of workflow.proto, docs), not from the core, which it checks.
Where a run stops at the first failure, what else had been started depends on luck; then a step may also be
found stopped (`is_cut`), and nothing else of it may differ.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from msgspec import UNSET
from tests.unit.domain.laws import Call, Laws
from tests.unit.domain.strategies import DEAF, NOWHERE

from foldline.domain.spec import Binding, Expression, Graph, OutputRef, Step


class Missing(Exception):
    """A value that a step needs is not there, or not of the right shape: the step fails."""


class StepMeans(NamedTuple):
    """How a step ends. `why` is the reason of a skip; `runs` are the runs inside its last attempt."""

    status: str
    outputs: dict[str, Any] = {}
    metric: float | None = None
    answer: bool | None = None
    why: str = ""
    runs: tuple[RunMeans, ...] = ()


class RunMeans(NamedTuple):
    """How a run ends. Of an item of a map, `status` says what became of the item."""

    status: str
    outputs: dict[str, Any]
    steps: dict[str, StepMeans]
    is_cut: bool = False


COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "in": lambda left, right: operator.contains(right, left),
}


def mean(
    graph: Graph,
    laws: Laws,
    parameters: dict[str, Any],
    *,
    selection: tuple[str, ...] = (),
    given: dict[str, StepMeans] | None = None,
) -> RunMeans:
    return _Run(graph, laws, parameters, selection, given or {}).run()


def handle(
    graph: Graph,
    laws: Laws,
    parameters: dict[str, Any],
    outcome: str,
    main: dict[str, StepMeans],
    selection: tuple[str, ...],
) -> dict[str, StepMeans]:
    """How the handlers of a run end whose main part ended so."""
    run = _Run(graph, laws, parameters, selection, {})
    run.outcome = outcome
    run.known = dict(main)
    return {step.name: run.step(step.name) for step in graph.steps if step.handles}


class _Run:
    def __init__(
        self,
        graph: Graph,
        laws: Laws,
        parameters: dict[str, Any],
        selection: tuple[str, ...],
        given: dict[str, StepMeans],
    ) -> None:
        self.graph = graph
        self.laws = laws
        self.parameters = dict(parameters)
        for parameter in graph.parameters:
            if parameter.name in self.parameters:
                continue
            if parameter.delayed:
                self.parameters[parameter.name] = laws.parameter(graph.name, parameter)
            elif parameter.default is not UNSET:
                self.parameters[parameter.name] = parameter.default
        self.selection = selection
        self.given = given
        self.declared = {step.name: step for step in graph.steps}
        self.known: dict[str, StepMeans] = {}
        self.outcome = ""

    def run(self, *, is_item: bool = False) -> RunMeans:
        main = [step for step in self.graph.steps if not step.handles]
        statuses = {self.step(step.name).status for step in main}
        self.outcome = next((one for one in ("failed", "stopped") if one in statuses), "completed")
        if is_item and self.outcome == "stopped":
            self.outcome = "failed"  # an item that was stopped gave nothing
        is_cut = self.outcome == "failed" and self.graph.on_failure != "continue" and not is_item
        handlers = [step for step in self.graph.steps if step.handles]
        if any(step.handles == "exit" or self.outcome == "failed" for step in handlers):
            for step in handlers:
                self.step(step.name)
        outputs = {}
        if self.outcome == "completed":
            for name, binding in self.graph.outputs.items():
                try:
                    outputs[name] = self.value(binding)
                except Missing:
                    continue
        return RunMeans(self.outcome, outputs, dict(self.known), is_cut)

    def step(self, name: str) -> StepMeans:
        if name not in self.known:
            self.known[name] = self._step(self.declared[name])
        return self.known[name]

    def _step(self, step: Step) -> StepMeans:
        if self.selection and step.name not in self.selection:
            if step.name in self.given:
                return self.given[step.name]._replace(why="given", runs=())
            return StepMeans("skipped", why="unselected")
        if step.handles == "failure" and self.outcome != "failed":
            return StepMeans("skipped", why="handler")
        why = self._skip(step)
        if why:
            return StepMeans("skipped", why=why)
        try:
            if step.skip_when is not UNSET and self.skips(step.skip_when) is True:
                return StepMeans("skipped", why="condition")
            if step.condition is not UNSET:
                return StepMeans("completed", answer=self.holds(step.condition))
            inputs = {name: self.value(binding) for name, binding in step.inputs.items()}
            return self._carry_out(step, inputs)
        except Missing as missing:
            return StepMeans("failed", why=str(missing))

    # -- skipping ----------------------------------------------------------------------------------

    def _skip(self, step: Step) -> str:
        for guard in step.guards:
            condition = self.step(guard.step)
            if condition.why == "unselected":
                continue
            if condition.status == "skipped":
                return "failed" if condition.why == "failed" else "upstream"
            if condition.status != "completed":
                return "failed"
            if condition.answer is not guard.branch:
                return "guard"
        needed = set(self._needed(step))
        if step.handles:
            return "upstream" if any(self.step(name).status != "completed" for name in needed) else ""
        return self._skip_by_upstream(step, needed)

    def _skip_by_upstream(self, step: Step, needed: set[str]) -> str:
        """Failure takes along whatever is behind it. A skipped step takes along what needs its outputs, or
        has nothing else before it; a merge looks for itself."""
        merged = {one.step for merge in self._merges(step) for one in merge}
        others = {*needed, *step.after, *(guard.step for guard in step.guards), *self._looked_at(step)}
        before = {name: self.step(name) for name in sorted(others | merged)}
        lost = {name for name, one in before.items() if _is_lost(one)}
        if lost & others:
            return "failed"
        for merge in self._merges(step):
            produced = [one for one in merge if one.name in before[one.step].outputs]
            if not produced and any(one.step in lost for one in merge):
                return "failed"
        skipped = {
            name for name, one in before.items() if one.status == "skipped" and one.why != "unselected"
        }
        if skipped & needed:
            return "upstream"
        if before and skipped == set(before) and not merged:
            return "upstream"
        return ""

    @staticmethod
    def _needed(step: Step) -> Iterator[str]:
        operands = () if step.condition is UNSET else tuple(_operands(step.condition))
        for binding in (*step.inputs.values(), *operands):
            if binding.output is not UNSET:
                yield binding.output.step
            if binding.metric is not UNSET:
                yield binding.metric.step

    @staticmethod
    def _merges(step: Step) -> list[tuple[OutputRef, ...]]:
        return [one.merge.outputs for one in step.inputs.values() if one.merge is not UNSET]

    @staticmethod
    def _looked_at(step: Step) -> Iterator[str]:
        looks = [] if step.skip_when is UNSET else list(_operands(step.skip_when))
        if step.repeat is not UNSET:
            looks += _operands(step.repeat.until)
        for binding in looks:
            if binding.output is not UNSET and binding.output.step:
                yield binding.output.step
            if binding.metric is not UNSET:
                yield binding.metric.step

    # -- carrying out ------------------------------------------------------------------------------

    def _carry_out(self, step: Step, inputs: dict[str, Any]) -> StepMeans:
        match step.kind:
            case "function":
                return self._call(step, inputs)
            case "wait":
                return self._wait(step)
            case "map":
                return self._map(step, inputs)
            case "repeat":
                return self._repeat(step, inputs)
            case _:
                inside = _Run(_body(step), self.laws, inputs, (), {}).run()
                return _of_inside(step, inside, (inside,))

    def _call(self, step: Step, inputs: dict[str, Any]) -> StepMeans:
        assert step.function is not UNSET
        function = step.function
        call = self.laws.call(function.module, function.name, inputs)
        starts = self.laws.is_mended or step.resources.pool not in (NOWHERE, DEAF)
        if not starts and not (step.timeouts.queue_seconds or step.timeouts.total_seconds):
            return StepMeans("failed", why="hangs")  # with what is around it, which runs out of time
        if starts and _succeeds(step, call):
            return StepMeans("completed", {"output": call.value}, call.metric)
        if step.retry.on_exhausted != "pause":
            return StepMeans("failed", why="function")
        if self.laws.holds(function.module, function.name, inputs) == "stop":
            return StepMeans("stopped")
        return StepMeans("completed", {"output": call.value}, call.metric)

    def _wait(self, step: Step) -> StepMeans:
        wait = step.wait
        assert wait is not UNSET
        answer = self.laws.answer(wait)
        if answer is None and step.timeouts.total_seconds:
            return StepMeans("failed", why="time")  # which is the shorter one
        if answer is None:
            match wait.at_deadline:
                case "skip":
                    return StepMeans("skipped", why="deadline")
                case "approve" | "reject":
                    answer = {"approved": wait.at_deadline == "approve", "by": "deadline", "comment": ""}
                case "default" if wait.kind == "choose":
                    answer = {"choice": wait.choices[0]}
                case "default":
                    answer = {field.name: field.default for field in wait.fields}
                case _:
                    return StepMeans("failed", why="deadline")
        if answer.get("approved") is False and wait.at_rejection != "continue":
            return StepMeans("failed", why="rejected")
        names = {output.name for output in step.outputs}
        return StepMeans("completed", {name: value for name, value in answer.items() if name in names})

    def _map(self, step: Step, inputs: dict[str, Any]) -> StepMeans:
        assert step.map is not UNSET
        items = inputs[step.map.over]
        if not isinstance(items, list):
            raise Missing("not a list")
        runs = tuple(
            _Run(_body(step), self.laws, inputs | {step.map.over: item}, (), {}).run(is_item=True)
            for item in items
        )
        if sum(run.status != "completed" for run in runs) > step.map.tolerated:
            return StepMeans("failed", why="items", runs=runs)
        names = [output.name for output in step.outputs]
        outputs = {name: [run.outputs.get(name) for run in runs] for name in names}
        return StepMeans("completed", outputs, runs=runs)

    def _repeat(self, step: Step, inputs: dict[str, Any]) -> StepMeans:
        repeat = step.repeat
        assert repeat is not UNSET
        runs: tuple[RunMeans, ...] = ()
        arguments = inputs
        while True:
            inside = _Run(_body(step), self.laws, arguments, (), {}).run()
            runs = (*runs, inside)
            if inside.status != "completed":
                return StepMeans("failed", why="inside", runs=runs)
            try:
                is_done = self.holds(repeat.until, inside.outputs)
            except Missing as missing:
                return StepMeans("failed", why=str(missing), runs=runs)
            if is_done or (len(runs) == repeat.max_iterations and repeat.at_maximum == "complete"):
                return _of_inside(step, inside, runs)
            if len(runs) == repeat.max_iterations:
                return StepMeans("failed", why="maximum", runs=runs)
            carried = {
                parameter: inside.outputs[output]
                for parameter, output in repeat.carry.items()
                if output in inside.outputs
            }
            arguments = inputs | carried

    # -- values ------------------------------------------------------------------------------------

    def holds(self, expression: Expression, body: dict[str, Any] | None = None) -> bool:
        if expression.left is not UNSET and expression.right is not UNSET:
            left, right = self.value(expression.left, body), self.value(expression.right, body)
            try:
                return bool(COMPARE[expression.op](left, right))
            except TypeError as error:
                raise Missing("not comparable") from error
        answers = [self.holds(term, body) for term in expression.terms]
        if expression.op == "not":
            return not answers[0]
        return all(answers) if expression.op == "and" else any(answers)

    def skips(self, expression: Expression) -> bool | None:
        """As `holds`; None where the answer hangs on steps that did not run."""
        if expression.left is not UNSET and expression.right is not UNSET:
            sides = (expression.left, expression.right)
            return None if any(map(self._lacks, sides)) else self.holds(expression)
        answers = [self.skips(term) for term in expression.terms]
        if expression.op == "not":
            return None if answers[0] is None else not answers[0]
        decisive = expression.op == "or"
        if any(answer is decisive for answer in answers):
            return decisive
        return None if any(answer is None for answer in answers) else not decisive

    def _lacks(self, binding: Binding) -> bool:
        if binding.merge is not UNSET:
            names = [one.step for one in binding.merge.outputs]
        elif binding.output is not UNSET:
            names = [binding.output.step]
        else:
            names = [] if binding.metric is UNSET else [binding.metric.step]
        return bool(names) and all(self.step(name).status != "completed" for name in names)

    def value(self, binding: Binding, body: dict[str, Any] | None = None) -> Any:
        if binding.value is not UNSET:
            return binding.value
        if binding.parameter is not UNSET:
            return self.parameters[binding.parameter]
        if binding.metric is not UNSET:
            metric = self.step(binding.metric.step).metric
            if metric is None or binding.metric.name != "score":
                raise Missing("no metric")
            return metric
        if binding.fact is not UNSET:
            assert binding.fact == "status", "the other facts depend on luck"
            return self.outcome
        if binding.merge is not UNSET:
            produced = [one for one in binding.merge.outputs if one.name in self.step(one.step).outputs]
            if len(produced) != 1:
                raise Missing("merge")
            return self._output(produced[0], None)
        assert binding.output is not UNSET
        return self._output(binding.output, body)

    def _output(self, reference: OutputRef, body: dict[str, Any] | None) -> Any:
        outputs = self.step(reference.step).outputs if reference.step else body or {}
        if reference.name not in outputs:
            raise Missing(f"no output {reference.name}")
        value = outputs[reference.name]
        for key in reference.path:
            try:
                value = value[key] if isinstance(value, dict) else value[int(key)]
            except (KeyError, IndexError, TypeError, ValueError) as error:
                raise Missing(f"no key {key}") from error
        return value


def _succeeds(step: Step, call: Call) -> bool:
    tries = max(step.retry.max_attempts, 1)
    error_class = "" if step.timeouts.silence_seconds else call.error_class
    if call.failures and error_class in step.retry.never_after:
        return False
    return call.failures < tries


def _is_lost(one: StepMeans) -> bool:
    return one.status in ("failed", "stopped") or (one.status == "skipped" and one.why == "failed")


def _of_inside(step: Step, inside: RunMeans, runs: tuple[RunMeans, ...]) -> StepMeans:
    if inside.status != "completed":
        return StepMeans("failed", why="inside", runs=runs)
    names = {output.name for output in step.outputs}
    outputs = {name: value for name, value in inside.outputs.items() if name in names}
    return StepMeans("completed", outputs, runs=runs)


def _body(step: Step) -> Graph:
    assert step.body is not UNSET
    return step.body.graph


def _operands(expression: Expression) -> Iterator[Binding]:
    for side in (expression.left, expression.right):
        if side is not UNSET:
            yield side
    for term in expression.terms:
        yield from _operands(term)
