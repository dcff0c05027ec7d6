"""The rules of steps that run a program or several processes: what a command says, takes and gives."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from msgspec import UNSET

from foldline.domain.problems import hint
from foldline.domain.spec import WORK_KINDS, Command, Graph, Step

LONGEST_TEXT = 64 * 1024
"""Of a line, a script's path, an argument, a variable: the kernel takes no longer ones."""

LONGEST_IMAGE = 512
MAX_RANKS = 1024

LEAVABLE = ("str", "int", "float", "bool", "json", "array", "table", "model", "image", "file")
"""Types of outputs that a program can leave as a file."""

INPUT_PREFIX = "INPUT_"
OWN_PREFIXES = (INPUT_PREFIX, "FOLDLINE_")
OWN_VARIABLES = frozenset(
    {
        *("PATH", "HOME", "TMPDIR", "OUTPUTS"),
        *("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"),
    }
)
"""Variables that the platform sets."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IMAGE = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?/)?"  # a registry
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)

Broken = Iterator[tuple[str, str]]


def problems(step: Step) -> Broken:
    """(rule, message) of every rule that the step breaks."""
    if step.command is not UNSET:
        if step.kind == "command":
            yield from _command(step.command)
            yield from _inputs(step)
            yield from _outputs(step)
        else:
            yield "ILLEGAL_COMMAND", f"has a command, but is of kind {step.kind}"
    if not 0 <= step.ranks <= MAX_RANKS:
        yield "ILLEGAL_RANKS", f"has {step.ranks} ranks; 1 to {MAX_RANKS} are possible"
    elif step.ranks and step.kind not in WORK_KINDS:
        yield "ILLEGAL_RANKS", f"has ranks, but a step of kind {step.kind} runs in no process"
    elif step.ranks > 1 and step.isolation == "shared":
        yield "ILLEGAL_RANKS", "has several ranks, each a process of its own; its isolation cannot be shared"


def variable_of(name: str) -> str:
    """The environment variable in which a program finds the input `name`."""
    return f"{INPUT_PREFIX}{name.upper().replace('-', '_')}"


def _command(command: Command) -> Broken:
    said = [name for name in ("line", "script", "arguments") if getattr(command, name)]
    if len(said) != 1:
        found = f"says {' and '.join(said)}" if said else "says none of them"
        yield "ILLEGAL_COMMAND", f"{found}; a command says exactly one of line, script and arguments"
    for text in (command.line, command.script, *command.arguments, *command.variables.values()):
        if "\0" in text:
            yield "ILLEGAL_COMMAND", f"holds a NUL character in {text[:40]!r}"
        elif len(text.encode()) > LONGEST_TEXT:
            yield "ILLEGAL_COMMAND", f"has a text of more than {LONGEST_TEXT // 1024} KiB: {text[:40]!r}"
    if command.arguments and not command.arguments[0]:
        yield "ILLEGAL_COMMAND", "names no program: its first argument is empty"
    for what, path in (("script", command.script), ("metrics_file", command.metrics_file)):
        if path and not is_below(path):
            where = "the code bundle" if what == "script" else "the step's folder"
            yield "ILLEGAL_PATH", f"{what} is {path!r}, but must be a relative path below {where}"
    if command.image and (len(command.image) > LONGEST_IMAGE or not _IMAGE.fullmatch(command.image)):
        message = f"image is {command.image[:80]!r}, which is no image reference (REGISTRY/NAME:TAG@DIGEST)"
        yield "ILLEGAL_IMAGE", message
    yield from _variables(command)


def _variables(command: Command) -> Broken:
    for name in command.variables:
        if not _VARIABLE.fullmatch(name):
            yield "ILLEGAL_VARIABLE", f"sets {name!r}; a variable has letters, digits and '_', no digit first"
        elif name in OWN_VARIABLES or name.startswith(OWN_PREFIXES):
            yield "ILLEGAL_VARIABLE", f"sets {name}, which the platform sets"


def _inputs(step: Step) -> Broken:
    for variable, count in Counter(variable_of(name) for name in step.inputs).items():
        if count > 1:
            names = ", ".join(name for name in step.inputs if variable_of(name) == variable)
            yield "ILLEGAL_COMMAND", f"has inputs that are one variable, {variable}: {names}"


def _outputs(step: Step) -> Broken:
    for output in step.outputs:
        if output.type not in LEAVABLE:
            what = f"output {output.name} is {output.type}{hint(output.type, LEAVABLE)}"
            yield "OUTPUT_NOT_LEAVABLE", f"{what}; a program can leave {', '.join(LEAVABLE)}"


def is_below(path: str) -> bool:
    """Is it a relative path that leads to something below where it starts?"""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and not path.endswith("/")


def scripts(graph: Graph) -> Iterator[tuple[str, str]]:
    """(step, script) of every script that the graph's steps run out of its bundle, bodies included."""
    for step in graph.steps:
        if step.command is not UNSET and step.command.script:
            yield step.name, step.command.script
        if step.body is not UNSET and not step.body.bundle:
            for inner, script in scripts(step.body.graph):
                yield f"{step.name}/{inner}", script
