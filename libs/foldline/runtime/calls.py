"""One call of the author's function: decode its inputs, call it, encode what it returned."""

from __future__ import annotations

import dataclasses
import errno
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from foldline.runtime import codecs, context, failures, programs, verdicts
from foldline.runtime.codecs import classes
from foldline.runtime.failures import StepError
from foldline.runtime.jobs import Given, Product
from foldline.runtime.outputs import split

OUTPUTS = ".foldline-outputs"
"""Where in its folder a step's outputs are written; made when the function has returned."""


def call(
    module: str,
    order: dict[str, Any],
    folder: str,
    *,
    finish: Callable[[], None],
    read: Callable[[list[str]], None],
) -> tuple[int, dict[str, Any]]:
    """An exit code, and what is to be said of the attempt; nothing where the function called sys.exit.

    `read` is told what was read before the function is called, `finish` is called after it has returned.
    """
    reads: list[str] = []
    checkpoint = order["checkpoint"]
    context.enter(order["facts"], context.notes())
    context.provide(
        folder=folder,
        allow_pickle=order["allow_pickle"],
        checkpoint=None if checkpoint is None else Given.of(checkpoint),
        reads=reads,
    )
    try:
        if order["variables"]:
            os.environ.update(order["variables"])  # noqa: TID251 - the step's own environment is made here
        if order["program"] is not None:
            outputs = _fields(programs.run(order, Path(folder), reads))
        else:
            function = _find(module, order["function"])
            arguments = _arguments(order, function, reads) if order["inputs"] else {}
            if reads:
                read(reads)
            value = function(**arguments)
            finish()
            outputs = _encode(order, value, folder)
        return 0, {"outputs": outputs, "reads": reads}
    except StepError as error:
        failed_at, failure = time.monotonic(), error.failure
    except SystemExit as error:
        return _exit_code(error), {}
    except BaseException as error:  # noqa: BLE001 - whatever the author's function raises is the outcome
        failed_at, failure = time.monotonic(), failures.raised(error)
        print(failure.traceback, file=sys.stderr, end="")  # noqa: T201 - the step's own log
        if isinstance(error, OSError) and error.errno == errno.EFBIG and order["limits"]["disk_bytes"]:
            failure = verdicts.file_too_big(order["limits"]["disk_bytes"])
    return 1, {"failure": dataclasses.asdict(failure), "failed_at": failed_at, "reads": reads}


def _find(module: str, name: str) -> Callable[..., Any]:
    found: Any = sys.modules[module]
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise StepError("user", "STEP_IMPORT_FAILED", f"module {module} has no function {name}")
    return found  # type: ignore[no-any-return]


def _arguments(order: dict[str, Any], function: Callable[..., Any], reads: list[str]) -> dict[str, Any]:
    arguments = {}
    annotations = classes.annotations_of(function)
    for name, fields in order["inputs"].items():
        if "file" in fields or "encoding" in fields:
            given = Given.of(fields)
            value = codecs.decode(name, given, **_pickle(order))
            reads += codecs.reads(given)
        else:  # as most are: nothing to decode
            value = fields["value"]
        arguments[name] = _as_annotated(name, value, annotations.get(name))
    return arguments


def _as_annotated(name: str, value: object, annotation: object) -> object:
    try:
        return classes.built(value, annotation)
    except Exception as error:
        message = f"input {name} is no {annotation}: {failures.class_name(error)}: {error}"
        raise StepError("invalid", "INPUT_NOT_READABLE", message) from error


def _pickle(order: dict[str, Any]) -> dict[str, bool]:
    return {"allow_pickle": order["allow_pickle"], "pickle_forbidden": order["pickle_forbidden"]}


def _encode(order: dict[str, Any], value: object, folder: str) -> dict[str, Any]:
    """By name, as JSON. What a step returns that has next to nothing to return goes the shortest way."""
    declared = tuple((name, kind) for name, kind in order["outputs"])
    is_one = len(declared) == 1 and declared[0][0] == "output"
    if is_one and (fields := codecs.scalar_fields(value, declared[0][1])):
        return {"output": fields}
    return _fields(
        {
            name: codecs.encode(name, one, kind, Path(folder, OUTPUTS, name), **_pickle(order))
            for name, kind, one in split(value, declared)
        }
    )


def _fields(products: dict[str, Product]) -> dict[str, Any]:
    return {name: one.fields() for name, one in products.items()}


def _exit_code(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)  # noqa: T201 - what Python itself does
    return 1
