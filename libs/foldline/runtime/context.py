"""What a step may ask of the platform and tell it: where it is, how far, its numbers, its checkpoints.

Outside of a step telling does nothing, so that a step's function can be called in any test.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import operator
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foldline.runtime.jobs import CHECKPOINTS, Facts, Given

if TYPE_CHECKING:
    from foldline.runtime.jobs import Product

_LONGEST_TEXT = 1000
_LONGEST_NOTE = 12 * 1024
"""Of JSON in bytes; a longer line would be cut on its way (`pipes.LINE_LIMIT`)."""

_BEYOND_STEPS = 2**63

_SHORT_CHECKPOINT = 4 * 1024


class _Channel:
    """The pipe on which the step's process sends its notes, one JSON object a line; and what it was given."""

    def __init__(self) -> None:
        self.facts: Facts | dict[str, Any] | None = None
        """As they were sent, until somebody asks for them."""
        self.fd = -1
        self.lock = threading.Lock()
        self.folder = ""
        self.allow_pickle = False
        self.reads: list[str] = []
        self.checkpoint: Given | None = None
        """What the last attempt left; None once it was read, too."""
        self.last: object = None
        self.numbers = itertools.count(1)


_channel = _Channel()


def current() -> Facts:
    """Run, step and attempt that this process is; RuntimeError outside of a step."""
    if isinstance(_channel.facts, dict):
        _channel.facts = Facts(**_channel.facts)
    if _channel.facts is None:
        raise RuntimeError("no step is running in this process")
    return _channel.facts


def progress(fraction: float, message: str = "") -> None:
    """Say how far the step is, from 0 to 1."""
    if not 0 <= fraction <= 1:
        raise ValueError(f"progress is a fraction between 0 and 1, not {fraction!r}")
    _send({"progress": float(fraction), "message": message[:_LONGEST_TEXT]})


def log_metric(name: str, value: float, step: int | None = None) -> None:
    """Record one number of a series, for instance a loss per epoch. The last one counts in conditions.

    Without `step` the numbers of a series are counted from 0. TypeError for what is no number, ValueError for
    NaN and infinity.
    """
    if not 0 < len(name) <= _LONGEST_TEXT:
        raise ValueError(f"the name of a metric has 1 to {_LONGEST_TEXT} characters")
    number = _number(name, value)
    if not math.isfinite(number):
        raise ValueError(f"metric {name!r} is {number}; only finite numbers can be recorded")
    _send({"metric": name, "value": number, **({} if step is None else {"step": _step(name, step)})})


def checkpoint(value: object) -> None:
    """Leave a value for the next attempt, should this one fail: `last_checkpoint` there. The newest counts.

    It may be whatever a step can return. Raises TypeError for what has no safe format.
    """
    if _channel.fd < 0:
        return
    name = f"{os.getpid()}-{next(_channel.numbers)}"
    product = _written(value, Path(_channel.folder, CHECKPOINTS, name))
    note = {**dataclasses.asdict(product), "file": name if product.file else None, "preview": {}}
    if len(json.dumps(note)) > _LONGEST_NOTE:
        note["summary"] = {}
    _send({"checkpoint": note})


def last_checkpoint() -> Any:
    """What the newest earlier attempt of this step left; None where none did, and outside of a step."""
    with _channel.lock:
        if _channel.checkpoint is not None:
            from foldline.runtime import codecs

            given, _channel.checkpoint = _channel.checkpoint, None
            _channel.last = codecs.decode("checkpoint", given, allow_pickle=_channel.allow_pickle)
            _channel.reads += codecs.reads(given)
        return _channel.last


def enter(facts: dict[str, Any], fd: int) -> None:
    """Called in a step's process before the function runs, with the fields of its Facts."""
    _channel.facts, _channel.fd = facts, fd


def leave() -> None:
    """Called after a shared attempt: nothing of it is there in the next one."""
    _channel.facts, _channel.last = None, None


def provide(*, folder: str, allow_pickle: bool, checkpoint: Given | None, reads: list[str]) -> None:
    """What checkpoints need; what is read of one is added to `reads`."""
    _channel.folder, _channel.allow_pickle = folder, allow_pickle
    _channel.checkpoint, _channel.reads = checkpoint, reads


def notes() -> int:
    """The descriptor that notes go to; -1 outside of a step."""
    return _channel.fd


def _number(name: str, value: object) -> float:
    """Numbers of any library, also in arrays of one."""
    if isinstance(value, str | bytes) or not hasattr(value, "__float__"):
        raise TypeError(f"metric {name!r} is a {type(value).__name__} ({value!r:.100}), not a number")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise TypeError(f"metric {name!r} is a {type(value).__name__}, not one number: {error}") from error


def _step(name: str, step: object) -> int:
    try:
        number = operator.index(step)  # type: ignore[arg-type]  # that is the question
    except TypeError as error:
        message = f"the step of metric {name!r} is a {type(step).__name__}, not a whole number"
        raise TypeError(message) from error
    if abs(number) >= _BEYOND_STEPS:
        raise ValueError(f"the step of metric {name!r} is {number}, which needs more than 64 bits")
    return number


def _written(value: object, target: Path) -> Product:
    from foldline.runtime import codecs

    try:
        product = codecs.write(value, "any", target, allow_pickle=_channel.allow_pickle)
    except codecs.NotStorable as refusal:
        message = f"a {codecs.type_name(value)} cannot be a checkpoint: {refusal}"
        raise TypeError(message) from refusal
    if product.text is None or len(product.text.encode()) <= _SHORT_CHECKPOINT:
        return product
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(product.text, encoding="utf-8")
    return dataclasses.replace(product, text=None, file=target)


def _send(note: dict[str, object]) -> None:
    if _channel.fd < 0:
        return
    line = json.dumps(note, ensure_ascii=False).encode() + b"\n"
    with _channel.lock:
        while line:
            line = line[os.write(_channel.fd, line) :]
