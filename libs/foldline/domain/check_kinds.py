"""The rules that a step keeps by itself: what its kind needs, and which policies make sense."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from foldline.domain import check_commands
from foldline.domain.spec import Step

MAX_ITERATIONS = 10_000

HANDLES = ("", "failure", "exit")
EFFECTS = ("", "pure", "idempotent", "unsafe")
ISOLATIONS = ("", "fresh", "shared")
AT_DEADLINE = ("", "fail", "skip", "approve", "reject", "default")

_NEEDS = {
    "function": "a function",
    "command": "a command",
    "condition": "a condition",
    "map": "a map (what it runs over)",
    "repeat": "a repeat (until when)",
    "wait": "a wait (for what)",
}
"""What a step of each kind declares, besides a body, in the field of that name."""

COMPOSITE = frozenset({"map", "repeat", "workflow"})
"""Kinds with a body."""


def problems(step: Step) -> Iterator[tuple[str, str]]:
    """(rule, message) of every rule that the step breaks by itself."""
    yield from _kind(step)
    yield from _numbers(step)
    yield from _words(step)
    yield from _isolation(step)
    if step.body is not UNSET:
        yield from _body(step)
    if step.map is not UNSET and step.map.over not in step.inputs:
        yield "ILLEGAL_MAP", f"runs over input {step.map.over}, which it does not have"
    if step.repeat is not UNSET:
        yield from _repeat(step)
    if step.wait is not UNSET:
        yield from _wait(step)
    yield from check_commands.problems(step)


def _kind(step: Step) -> Iterator[tuple[str, str]]:
    if step.kind in _NEEDS and getattr(step, step.kind) is UNSET:
        yield f"NO_{step.kind.upper()}", f"a step of kind {step.kind} needs {_NEEDS[step.kind]}"
    if step.kind in COMPOSITE and step.body is UNSET:
        yield "NO_BODY", f"a step of kind {step.kind} needs a body"
    if step.kind == "condition" and step.skip_when is not UNSET:
        yield "ILLEGAL_POLICY", "a condition cannot have a skip condition of its own"


def _numbers(step: Step) -> Iterator[tuple[str, str]]:
    numbers = {
        "retry.max_attempts": step.retry.max_attempts,
        "retry.delay_seconds": step.retry.delay_seconds,
        "retry.multiplier": step.retry.multiplier,
        "retry.max_delay_seconds": step.retry.max_delay_seconds,
        "timeouts.run_seconds": step.timeouts.run_seconds,
        "timeouts.grace_seconds": step.timeouts.grace_seconds,
        "timeouts.queue_seconds": step.timeouts.queue_seconds,
        "timeouts.total_seconds": step.timeouts.total_seconds,
        "timeouts.silence_seconds": step.timeouts.silence_seconds,
        "resources.cpu": step.resources.cpu,
        "resources.memory_bytes": step.resources.memory_bytes,
        "resources.gpu": step.resources.gpu,
        "resources.open_files": step.resources.open_files,
        "resources.disk_bytes": step.resources.disk_bytes,
        "max_active": step.max_active,
    }
    if step.map is not UNSET:
        numbers |= {"map.parallelism": step.map.parallelism, "map.tolerated": step.map.tolerated}
    if step.wait is not UNSET:
        numbers["wait.deadline_seconds"] = step.wait.deadline_seconds
    for name, value in numbers.items():
        if not 0 <= value < float("inf"):
            yield "ILLEGAL_POLICY", f"{name} is {value}, but must be 0 or more"
    if step.retry.jitter is not UNSET and not 0 <= step.retry.jitter <= 1:
        yield "ILLEGAL_POLICY", f"retry.jitter is {step.retry.jitter}, but must be between 0 and 1"


def _words(step: Step) -> Iterator[tuple[str, str]]:
    for name, value, known in (
        ("handles", step.handles, HANDLES),
        ("effects", step.effects, EFFECTS),
        ("isolation", step.isolation, ISOLATIONS),
        ("retry.on_exhausted", step.retry.on_exhausted, ("", "fail", "pause")),
    ):
        if value not in known:
            yield (
                "ILLEGAL_POLICY",
                f"{name} is {value!r}, but must be one of {', '.join(filter(None, known))}",
            )
    if step.effects == "unsafe" and step.retry.max_attempts > 1:
        yield "UNSAFE_RETRY", "is unsafe to run again, so it cannot be retried by itself"
    if step.effects == "unsafe" and step.cache:
        yield "UNSAFE_CACHE", "has effects that matter, so its outputs cannot stand for running it"


def _isolation(step: Step) -> Iterator[tuple[str, str]]:
    if step.isolation != "shared":
        return
    if step.kind != "function":
        yield "ILLEGAL_ISOLATION", f"is a {step.kind}; only functions can share a process"
    if step.effects != "pure":
        yield (
            "SHARED_NOT_PURE",
            'shares a process with other attempts, so it must be declared effects="pure"',
        )
    if step.ranks > 1:
        yield "ILLEGAL_ISOLATION", f"has {step.ranks} ranks, each of which needs a process of its own"


def _body(step: Step) -> Iterator[tuple[str, str]]:
    assert step.body is not UNSET
    graph = step.body.graph
    known = {parameter.name for parameter in graph.parameters}
    for name in step.inputs:
        if name not in known:
            yield "UNKNOWN_PARAMETER", f"gives {name} to its body, which has no such parameter"
    for parameter in graph.parameters:
        if parameter.is_required and parameter.name not in step.inputs:
            yield "PARAMETER_MISSING", f"does not give {parameter.name} to its body, which needs it"
        if parameter.delayed and step.kind != "workflow":
            yield "ILLEGAL_BODY", f"asks for {parameter.name} during the run; only sub-workflows may"
    if step.kind != "workflow" and any(one.handles for one in graph.steps):
        yield "ILLEGAL_BODY", "has a handler in its body; only workflows have handlers"
    for output in step.outputs:
        if output.name not in graph.outputs:
            yield "UNKNOWN_OUTPUT", f"gives {output.name}, which its body does not"


def _repeat(step: Step) -> Iterator[tuple[str, str]]:
    assert step.repeat is not UNSET
    if not 1 <= step.repeat.max_iterations <= MAX_ITERATIONS:
        message = f"repeats up to {step.repeat.max_iterations} times; 1 to {MAX_ITERATIONS} are possible"
        yield "ILLEGAL_POLICY", message
    if step.repeat.at_maximum not in ("", "fail", "complete"):
        yield "ILLEGAL_POLICY", f"at_maximum is {step.repeat.at_maximum!r}, but must be fail or complete"
    if step.body is UNSET:
        return
    parameters = {parameter.name for parameter in step.body.graph.parameters}
    for parameter, output in step.repeat.carry.items():
        if parameter not in parameters:
            yield "UNKNOWN_PARAMETER", f"carries {parameter}, which its body does not take"
        if output not in step.body.graph.outputs:
            yield "UNKNOWN_OUTPUT", f"carries {output}, which its body does not give"


def _wait(step: Step) -> Iterator[tuple[str, str]]:
    wait = step.wait
    assert wait is not UNSET
    if wait.kind not in ("approve", "values", "choose", "event"):
        yield "ILLEGAL_WAIT", f"waits for {wait.kind!r}; it can wait for approve, values, choose or event"
    if wait.at_deadline not in AT_DEADLINE:
        yield (
            "ILLEGAL_POLICY",
            f"at_deadline is {wait.at_deadline!r}, not one of {', '.join(AT_DEADLINE[1:])}",
        )
    elif wait.at_deadline in ("approve", "reject") and wait.kind != "approve":
        yield "ILLEGAL_POLICY", f"nobody can {wait.at_deadline} at the deadline of a wait for {wait.kind}"
    elif wait.at_deadline == "default" and wait.kind in ("approve", "event"):
        yield "ILLEGAL_POLICY", f"a wait for {wait.kind} has no default"
    if wait.at_rejection not in ("", "fail", "continue"):
        yield "ILLEGAL_POLICY", f"at_rejection is {wait.at_rejection!r}, but must be fail or continue"
    if wait.kind == "choose" and not wait.choices:
        yield "ILLEGAL_WAIT", "offers no choices"
    if wait.kind == "values" and not wait.fields:
        yield "ILLEGAL_WAIT", "asks for no fields"
    if wait.kind == "event" and not wait.event:
        yield "ILLEGAL_WAIT", "does not say which event it waits for"
    if wait.kind == "values" and wait.at_deadline == "default":
        for field in wait.fields:
            if field.default is UNSET:
                yield "ILLEGAL_WAIT", f"goes on with defaults at its deadline, but {field.name} has none"
