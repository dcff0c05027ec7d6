"""One attempt: the process that a warm parent forked. Decode, call, encode, leave the result, end.

The result is written at the very end, onto a sheet that the launcher reads after this process has ended. A
process that ends without it ended by itself (an exit code) or was killed (a signal).
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import faulthandler
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from foldline.runtime import codecs, context, failures, kernel, outputs, sheets
from foldline.runtime.codecs import classes
from foldline.runtime.failures import StepError
from foldline.runtime.jobs import Facts, Given
from foldline.runtime.seeds import SeedWatch

OUTPUTS = ".foldline-outputs"
"""Where in its folder a step's outputs are written; made when the function has returned."""

DESCRIPTORS = 5
"""What comes with a request to start: stdout, stderr, notes, the job's sheet, the result's sheet."""


def main(module: str, folder: str, fds: list[int], seeds: SeedWatch) -> NoReturn:
    """Runs in the forked child and never returns into the parent's code."""
    code = 1
    try:
        job = sheets.read(fds[3])
        _settle(folder, fds, seeds)
        code = _attempt(module, job, Path(folder), result=fds[4])
    except BaseException:  # noqa: BLE001 - the last line of defence of a process
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _settle(folder: str, fds: list[int], seeds: SeedWatch) -> None:
    """Become a process of its own in everything that a fork shares."""
    guardian = os.getppid()
    os.setsid()
    kernel.die_with_parent(signal.SIGKILL)
    if os.getppid() != guardian:
        os._exit(1)  # the parent died before the kernel knew that it mattered
    kernel.become_subreaper()
    kernel.set_name("foldline-step")
    _take_descriptors(fds)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    # What the module registered at import is the parent's to end, not each attempt's.
    atexit._clear()  # noqa: SLF001
    seeds.settle()
    os.chdir(folder)
    os.environ["TMPDIR"] = folder  # noqa: TID251 - the step's own environment is made here
    if (tempfile := sys.modules.get("tempfile")) is not None:
        vars(tempfile)["tempdir"] = None


def _take_descriptors(fds: list[int]) -> None:
    stdout, stderr, notes, job, result = fds
    os.close(job)
    for fd in (notes, result):
        os.set_inheritable(fd, False)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (stdout, 1), (stderr, 2)):
        os.dup2(source, target)
        os.close(source)
    context.enter(Facts(), notes)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # the module may have put something else there
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    faulthandler.enable(file=2)


def _attempt(module: str, job: dict[str, Any], folder: Path, *, result: int) -> int:
    this = os.getpid()
    reads: list[str] = []
    checkpoint = job.get("checkpoint")
    context.enter(Facts(**job["facts"]), context.notes())
    context.provide(
        folder=folder,
        allow_pickle=job["allow_pickle"],
        checkpoint=None if checkpoint is None else Given.of(checkpoint),
        reads=reads,
    )
    outcome: dict[str, Any]
    try:
        function = _find(module, job["function"])
        arguments = _arguments(job, function, reads)
        sheets.write(result, {"reads": reads})  # also if the process should not come to its end
        value = function(**arguments)
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - as Python does at its end
        outcome = {"outputs": _encode(job, value, folder)}
    except StepError as error:
        outcome = {"failure": dataclasses.asdict(error.failure)}
    except SystemExit as error:
        return _exit_code(error)
    except BaseException as error:  # noqa: BLE001 - whatever the author's function raises is the outcome
        failure = failures.raised(error)
        print(failure.traceback, file=sys.stderr, end="")  # noqa: T201 - the step's own log
        outcome = {"failure": dataclasses.asdict(failure)}
    atexit._run_exitfuncs()  # noqa: SLF001 - what was registered since the fork
    _flush()
    # A process that the function forked may come here, too; the result is not its to give.
    if os.getpid() == this:
        sheets.write(result, {**outcome, "reads": reads})
    return 0 if "outputs" in outcome else 1


def _find(module: str, name: str) -> Callable[..., Any]:
    found: Any = sys.modules[module]
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise StepError("user", "STEP_IMPORT_FAILED", f"module {module} has no function {name}")
    return found  # type: ignore[no-any-return]


def _arguments(job: dict[str, Any], function: Callable[..., Any], reads: list[str]) -> dict[str, Any]:
    arguments = {}
    annotations = classes.annotations_of(function)
    for name, fields in job["inputs"].items():
        given = Given.of(fields)
        value = codecs.decode(name, given, **_pickle(job))
        reads += codecs.reads(given)
        arguments[name] = _as_annotated(name, value, annotations.get(name))
    return arguments


def _as_annotated(name: str, value: object, annotation: object) -> object:
    try:
        return classes.built(value, annotation)
    except Exception as error:
        message = f"input {name} is no {annotation}: {failures.class_name(error)}: {error}"
        raise StepError("invalid", "INPUT_NOT_READABLE", message) from error


def _pickle(job: dict[str, Any]) -> dict[str, bool]:
    return {"allow_pickle": job["allow_pickle"], "pickle_forbidden": job["pickle_forbidden"]}


def _encode(job: dict[str, Any], value: object, folder: Path) -> dict[str, Any]:
    declared = tuple((name, kind) for name, kind in job["outputs"])
    products = {}
    for name, kind, one in outputs.split(value, declared):
        target = folder / OUTPUTS / name
        product = codecs.encode(name, one, kind, target, **_pickle(job))
        products[name] = {**dataclasses.asdict(product), "file": str(product.file) if product.file else None}
    return products


def _exit_code(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)  # noqa: T201 - what Python itself does
    return 1


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
