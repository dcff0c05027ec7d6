"""From a traced workflow to the domain's graph: its parameters, its steps, and the bodies inside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, cast

from msgspec import UNSET
from msgspec.structs import replace

from foldline.domain import checks, parameters, spec
from foldline.domain.inner import DEEPEST
from foldline.domain.types import accepts, type_of_value
from foldline.sdk.bindings import Scope, plain
from foldline.sdk.bodies import Each, Inner, Loop, Traced
from foldline.sdk.conditions import Condition
from foldline.sdk.declarations import command_of, outputs_of, parameter_of, policy_fields
from foldline.sdk.problems import AuthoringError, Problem
from foldline.sdk.programs import Command
from foldline.sdk.references import Placeholder
from foldline.sdk.rules import compile_problems, signature_problems
from foldline.sdk.steps import Step
from foldline.sdk.tracing import Node, Trace, holds_placeholder
from foldline.sdk.waits import Question
from foldline.sdk.workflows import Released, Workflow

Releases = Mapping[tuple[str, str], spec.Body | str]
"""Bodies of other releases by name and digest; a sentence where one cannot be had."""

Codes = Callable[[Step[..., Any]], str]
"""The digest of the code of a step (`codes`)."""

_NO_INSTALLATION = "no installation was asked for it"


class Built(NamedTuple):
    """A graph, and the types of what it gives and takes; those of a body may be no JSON."""

    graph: spec.Graph
    outputs: Mapping[str, str]
    inputs: Mapping[str, str]


class _Incomplete(Exception):
    """A body is missing; the problem was reported where it was found."""


class Builder:
    """Makes graphs, each body once. Whatever is wrong ends up in `problems`."""

    def __init__(self, codes: Codes | None, releases: Releases) -> None:
        self.problems: list[Problem] = []
        self.code_of = codes or (lambda _: "")
        self._releases = releases
        self._built: dict[int, Built | None] = {}

    def build(self, traced: Traced, depth: int = 0) -> Built | None:
        """The graph of `traced` with all bodies in it; None where a part of it is missing."""
        if id(traced) not in self._built:
            self.problems += traced.problems
            if depth > DEEPEST:
                self._report("NESTED_TOO_DEEP", traced, f"runs inside runs go {DEEPEST} levels deep at most")
            made = None if traced.trace is None else _Graph(self, traced, traced.trace, depth).made()
            self._built[id(traced)] = made
        return self._built[id(traced)]

    def body(self, node: Node, inner: Inner, depth: int) -> tuple[spec.Body, Built]:
        """What runs inside `node`. Raises _Incomplete."""
        if isinstance(inner.body, Released):
            return self._released(node, inner.body)
        built = self.build(inner.body, depth + 1)
        if built is None:
            raise _Incomplete
        return spec.Body(graph=built.graph), built

    def _released(self, node: Node, released: Released) -> tuple[spec.Body, Built]:
        found = self._releases.get((released.name, released.digest), _NO_INSTALLATION)
        if isinstance(found, str):
            message = f"is release {released.digest} of workflow {released.name}, which is not known: {found}"
            raise AuthoringError(
                Problem(rule="RELEASE_UNKNOWN", where=f"step {node.name}", message=message, site=node.site)
            )
        graph = found.graph
        steps = {step.name: {one.name: one.type for one in step.outputs} for step in graph.steps}
        outputs = {}
        for name, binding in graph.outputs.items():
            whole = binding.output is not UNSET and not binding.output.path
            outputs[name] = steps[binding.output.step][binding.output.name] if whole else "any"  # type: ignore[union-attr]  # whole says so
        return found, Built(graph, outputs, {one.name: one.type for one in graph.parameters})

    def _report(self, rule: str, traced: Traced, message: str) -> None:
        where = f"workflow {traced.name}"
        self.problems.append(Problem(rule=rule, where=where, message=message, site=traced.site))


class _Graph:
    """One traced workflow on its way to a graph."""

    def __init__(self, builder: Builder, traced: Traced, trace: Trace, depth: int) -> None:
        self._builder = builder
        self._traced = traced
        self._trace = trace
        self._depth = depth
        self._scope = Scope(traced, trace)
        self._problems = builder.problems

    def made(self) -> Built | None:
        traced, steps = self._traced, [self._step_or_none(node) for node in self._trace.nodes]
        self._problems += signature_problems(self._trace)
        try:
            outputs = {name: self._output(value) for name, value in traced.outputs.items()}
        except AuthoringError as error:
            self._problems += error.problems
            return None
        if None in steps:
            return None
        graph = spec.Graph(
            name=traced.name,
            title=traced.title,
            description=traced.description,
            parameters=tuple(parameter_of(one) for one in traced.parameters),
            steps=tuple(step for step in steps if step is not None),
            outputs=outputs,
            on_failure=traced.on_failure,
            scenes=tuple(self._scenes()),
        )
        self._problems += compile_problems(graph, self._trace, traced)
        types = {name: self._scope.type_of(value) for name, value in traced.outputs.items()}
        return Built(graph, types, {one.name: one.type for one in traced.parameters})

    def _step_or_none(self, node: Node) -> spec.Step | None:
        try:
            return self._step(node)
        except AuthoringError as error:
            self._problems += error.problems
        except _Incomplete:
            pass
        return None

    def _step(self, node: Node) -> spec.Step:
        guards: tuple[spec.Guard, ...] = ()
        if node.branch is not None:
            guards = (spec.Guard(step=node.branch.condition.name, branch=node.branch.answer),)
        step = spec.Step(
            name=node.name,
            kind="condition",
            inputs={name: self._scope.binding(node, value) for name, value in node.arguments.items()},
            after=tuple(dict.fromkeys(self._scope.step_named(node, other) for other in node.others)),
            guards=guards,
            skip_when=UNSET if node.skip_when is None else self._expression(node, node.skip_when),
            handles=node.handles,
        )
        match node.what:
            case Condition():
                return replace(step, condition=self._expression(node, node.what))
            case Question():
                return self._wait(node, node.what, step)
            case Inner():
                return self._composite(node, node.what, step)
        assert isinstance(node.what, Step)
        return self._work(node, node.what, step)

    def _work(self, node: Node, used: Step[..., Any], step: spec.Step) -> spec.Step:
        self._scope.declare(node, dict(used.outputs.fields))
        if isinstance(used, Command):
            step = replace(step, kind="command", command=command_of(used.said))
        else:
            function = spec.Function(module=used.function.__module__, name=used.function.__name__)
            step = replace(step, kind="function", function=function)
        return replace(
            step,
            title=used.title,
            description=(used.function.__doc__ or "").strip().partition("\n\n")[0],
            input_types=self._input_types(node, used.input_types),
            outputs=outputs_of(dict(used.outputs.fields)),
            **policy_fields(used.policy),
            code=self._builder.code_of(used),
        )

    def _wait(self, node: Node, question: Question, step: spec.Step) -> spec.Step:
        fields = tuple(parameter_of(one) for one in question.fields)
        for field in fields:
            for problem in checks.parameter_problems(field, "field"):
                self._report(problem.rule, node, f"{problem.where} {problem.message}")
            if field.delayed:
                self._report("ILLEGAL_FORM", node, f"field {field.name} is delayed; the step asks for it")
        outputs = dict(node.outputs.fields) if node.outputs else {}
        self._scope.declare(node, outputs)
        wait = spec.Wait(
            kind=question.kind,
            prompt=question.prompt,
            fields=fields,
            choices=question.choices,
            assignee=question.assignee,
            deadline_seconds=question.deadline,
            at_deadline=question.at_deadline,
            at_rejection=question.at_rejection,
            event=question.event,
        )
        return replace(step, kind="wait", wait=wait, outputs=outputs_of(outputs))

    def _composite(self, node: Node, inner: Inner, step: spec.Step) -> spec.Step:
        body, built = self._builder.body(node, inner, self._depth)
        over = inner.form.over if isinstance(inner.form, Each) else ""
        outputs = {name: "list" if over else kind for name, kind in built.outputs.items()}
        self._scope.declare(node, outputs)
        self._constants(node, body.graph, over)
        wanted = {name: kind for name, kind in built.inputs.items() if name != over}
        step = replace(
            step,
            kind=inner.kind,
            title=body.graph.title,
            body=body,
            input_types=self._input_types(node, wanted),
            outputs=outputs_of(outputs),
        )
        match inner.form:
            case Each(_, parallelism, tolerated):
                self._items(node, over, built.inputs.get(over, "any"))
                step = replace(step, map=spec.Map(over=over, parallelism=parallelism, tolerated=tolerated))
            case Loop():
                step = replace(step, repeat=self._repeat(node, inner.form, built))
        return step

    def _repeat(self, node: Node, loop: Loop, built: Built) -> spec.Repeat:
        carry = loop.carry
        if carry is None:
            carry = {name: name for name in built.outputs if name in built.inputs}
        for parameter, output in carry.items():
            wanted, given = built.inputs.get(parameter, "any"), built.outputs.get(output, "any")
            if not accepts(wanted, given):
                message = f"carries {output}, which is {given}, to {parameter}, which takes {wanted}"
                self._report("TYPE_MISMATCH", node, message)
        self._scope.declare(loop.seen, built.outputs)
        return spec.Repeat(
            until=self._expression(node, loop.until, loop.seen),
            max_iterations=loop.maximum,
            carry=dict(carry),
            at_maximum=loop.at_maximum,
        )

    def _items(self, node: Node, over: str, wanted: str) -> None:
        """A map runs over a list; of a constant one the items are known, too."""
        items = node.arguments.get(over)
        if isinstance(items, Placeholder):
            kind = self._scope.type_of(items)
            if kind not in ("any", "json", "list"):
                message = f"runs over {items.describe()}, which is {kind}, not a list"
                self._report("NOT_A_LIST", node, message)
        elif isinstance(items, (list, tuple)) and not holds_placeholder(items):
            wrong = [item for item in items if not accepts(wanted, type_of_value(item))]
            if wrong:
                message = f"gives {wrong[0]!r} to {over}, which takes {wanted}"
                self._report("TYPE_MISMATCH", node, message)

    def _constants(self, node: Node, graph: spec.Graph, over: str) -> None:
        """What is given as a constant keeps the rules of the body's parameters."""
        known = {one.name: one.type for one in graph.parameters if one.name != over}
        constants = {
            name: plain(value)
            for name, value in node.arguments.items()
            # One of another type is the compiler's to find.
            if name in known and not holds_placeholder(value) and accepts(known[name], type_of_value(value))
        }
        _, problems = parameters.sort_out(graph.parameters, constants)
        for name, problem in problems.items():
            self._report("ILLEGAL_VALUE", node, f"input {name} {problem}")

    def _input_types(self, node: Node, wanted: Mapping[str, str]) -> dict[str, spec.ValueType]:
        kinds, problems = self._scope.checkable(node, wanted)
        self._problems += problems
        return {name: cast("spec.ValueType", kind) for name, kind in kinds.items()}

    def _expression(self, node: Node, condition: Condition, seen: Node | None = None) -> spec.Expression:
        self._problems += self._scope.condition_problems(node, condition, seen)
        return self._scope.expression(node, condition, seen)

    def _output(self, value: object) -> spec.Binding:
        here = Node("output", self._traced.site, None, None, name="output")
        return self._scope.binding(here, value)

    def _scenes(self) -> Iterator[spec.Scene]:
        for name, entries in self._traced.scenes.items():
            steps: list[str] = []
            for entry in entries:
                found = [entry] if isinstance(entry, str) else _uses(self._trace, entry)
                if not found:
                    message = f"names {entry!r}, which the workflow does not use"
                    where = f"scene {name}"
                    self._problems.append(
                        Problem(rule="UNKNOWN_STEP", where=where, message=message, site=self._traced.site)
                    )
                steps.extend(found)
            yield spec.Scene(name=name, steps=tuple(dict.fromkeys(steps)))

    def _report(self, rule: str, node: Node, message: str) -> None:
        where = f"step {node.name}"
        self._problems.append(Problem(rule=rule, where=where, message=message, site=node.site))


def _uses(trace: Trace, declared: object) -> list[str]:
    """The nodes that use a step or workflow, called, mapped or repeated."""
    return [
        node.name for node in trace.nodes if isinstance(declared, (Step, Workflow)) and _is_of(node, declared)
    ]


def _is_of(node: Node, declared: Step[..., Any] | Workflow[..., Any]) -> bool:
    if isinstance(node.what, Step):
        return node.what.function is declared.function
    if isinstance(node.what, Inner) and isinstance(node.what.body, Traced):
        trace = node.what.body.trace
        return trace is not None and trace.function is declared.function
    return False
