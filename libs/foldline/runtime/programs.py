"""One attempt of a program, in the process that a warm parent forked: it lays out, starts, waits, collects.

The program is a child in the same session and process group, so signals, limits, logs and the end of the
attempt reach it as they reach a function.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldline.runtime import codecs, context, layout, verdicts
from foldline.runtime.failures import StepError
from foldline.runtime.jobs import Given, Product, Program, StepFailure

_REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
_FIRST_LINE_BYTES = 256
_MILD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class ProgramFailed(StepError):
    """The program ended by itself, and not well."""

    def __init__(self, failure: StepFailure) -> None:
        super().__init__(failure.kind, failure.reason, failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Laid:
    """What a program finds: what to execute, its variables, and the digests that were read for it."""

    command: list[str]
    variables: dict[str, str]
    reads: list[str]


def lay_out(program: Program, order: Mapping[str, Any], folder: Path) -> Laid:
    """Its inputs in the folder; wherever it will run. Raises StepError."""
    inputs = {name: Given.of(fields) for name, fields in order["inputs"].items()}
    variables = {**program.variables, **layout.lay_out(inputs, folder), **order["variables"]}
    return Laid(
        command=command(program, Path(order["bundle"]), variables),
        variables=variables,
        reads=[digest for given in inputs.values() for digest in codecs.reads(given)],
    )


def run(order: Mapping[str, Any], folder: Path, reads: list[str]) -> dict[str, Product]:
    """Run the program of the order to its end; its outputs. Raises StepError for whatever went wrong."""
    program = Program.of(order["program"])
    laid = lay_out(program, order, folder)
    reads += laid.reads
    environ = environment(os.environ, laid.variables)  # noqa: TID251 - the program's own environment is made here
    code = _run(laid.command, folder, environ)
    if code:
        _say_metrics_if_any(program, folder)
        raise ProgramFailed(verdicts.program_ended(code))
    if program.metrics_file:
        _say(layout.metrics(program.metrics_file, folder))
    return layout.collect(order["outputs"], folder, with_libraries=True)


def command(program: Program, bundle: Path, variables: Mapping[str, str]) -> list[str]:
    """What to execute. In arguments `$(NAME)` stands for a variable of inputs, outputs, ranks or the author.

    StepError for a script that is not in the bundle.
    """
    if program.line:
        return ["sh", "-eu", "-c", program.line]
    if not program.script:
        return [_filled(argument, variables) for argument in program.arguments]
    script = bundle / program.script
    if not script.resolve().is_relative_to(bundle.resolve()) or not script.is_file():
        raise StepError(
            "invalid", "SCRIPT_MISSING", f"there is no script {program.script} in the code bundle"
        )
    return [*interpreter(script), str(script)]


def interpreter(script: Path) -> list[str]:
    """What the script's first line names; files of a bundle are not executable by themselves."""
    with script.open("rb") as file:
        first = file.readline(_FIRST_LINE_BYTES)
    if not first.startswith(b"#!"):
        return ["sh"]
    return first[2:].decode(errors="replace").strip().split(None, 1) or ["sh"]


def environment(around: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """The variables on top of what a step's process has, the programs of its environment first on PATH."""
    programs = str(Path(sys.executable).parent)
    path = [programs, *around.get("PATH", os.defpath).split(os.pathsep)]
    return {**around, **variables, "PATH": os.pathsep.join(dict.fromkeys(path))}


def _filled(argument: str, variables: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda found: variables.get(found[1], found[0]), argument)


def _run(arguments: list[str], folder: Path, environ: Mapping[str, str]) -> int:
    """The exit code; a negative one is a signal."""
    # The whole group is told to stop. What the program makes of it decides; a handler (unlike SIG_IGN) is
    # not inherited by it.
    for number in _MILD:
        signal.signal(number, lambda *_: None)
    try:
        process = subprocess.Popen(arguments, cwd=folder, env=environ)
    except (OSError, ValueError) as error:
        name = arguments[0] if arguments else ""
        missing = isinstance(error, FileNotFoundError)
        why = "it is not on the PATH of the release's environment" if missing else str(error)
        message = f"program {name} could not be started: {why}"
        raise StepError("user", "PROGRAM_NOT_STARTED", message) from error
    return process.wait()


def _say(numbers: Mapping[str, float]) -> None:
    for name, value in numbers.items():
        context.log_metric(name, value)


def _say_metrics_if_any(program: Program, folder: Path) -> None:
    """Of a program that failed: what it left is told, what is wrong with it does not matter."""
    if program.metrics_file:
        try:
            _say(layout.metrics(program.metrics_file, folder))
        except (StepError, OSError):
            return
