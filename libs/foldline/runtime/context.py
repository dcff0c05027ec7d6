"""What a step may ask of the platform and tell it: `fl.current`, `fl.progress`, `fl.log_metric`.

Outside of a step the last two do nothing, so that a step's function can be called in any test.
"""

from __future__ import annotations

import json
import math
import os
import threading

from foldline.runtime.jobs import Facts


class _Channel:
    """The pipe on which the step's process sends its notes, one JSON object a line."""

    def __init__(self) -> None:
        self.facts: Facts | None = None
        self.fd = -1
        self.lock = threading.Lock()


_channel = _Channel()


def current() -> Facts:
    """Run, step and attempt that this process is; RuntimeError outside of a step."""
    if _channel.facts is None:
        raise RuntimeError("no step is running in this process")
    return _channel.facts


def progress(fraction: float, message: str = "") -> None:
    """Say how far the step is, from 0 to 1."""
    if not 0 <= fraction <= 1:
        raise ValueError(f"progress is a fraction between 0 and 1, not {fraction!r}")
    _send({"progress": float(fraction), "message": message})


def log_metric(name: str, value: float, step: int | None = None) -> None:
    """Record one number of a series, for instance a loss per epoch."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"metric {name!r} is {number}; only finite numbers can be recorded")
    _send({"metric": name, "value": number, **({} if step is None else {"step": int(step)})})


def enter(facts: Facts, fd: int) -> None:
    """Called once in a step's process, before the function runs."""
    _channel.facts, _channel.fd = facts, fd


def notes() -> int:
    """The descriptor that notes go to; -1 outside of a step."""
    return _channel.fd


def _send(note: dict[str, object]) -> None:
    if _channel.fd < 0:
        return
    line = json.dumps(note, ensure_ascii=False).encode() + b"\n"
    with _channel.lock:
        while line:
            line = line[os.write(_channel.fd, line) :]
