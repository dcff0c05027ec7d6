"""Foldline: machine-learning workflows whose every state is the fold of recorded events.

`import foldline as fl` stays light: the names that authors and steps use are loaded when first touched, so
importing any sub-package never pulls in another one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foldline.runtime.codecs.authored import register_codec
    from foldline.runtime.context import checkpoint, current, last_checkpoint, log_metric, progress
    from foldline.sdk.author import (
        File,
        Retry,
        all_of,
        any_of,
        approve,
        ask,
        choose,
        command,
        is_in,
        map,  # noqa: A004  # always used as fl.map
        merge,
        metric,
        not_,
        on_exit,
        on_failure,
        otherwise,
        otherwise_when,
        outcome,
        param,
        released,
        repeat,
        step,
        wait_for_event,
        when,
        workflow,
    )

__version__ = "0.1.0"

__all__ = [
    "File",
    "Retry",
    "__version__",
    "all_of",
    "any_of",
    "approve",
    "ask",
    "checkpoint",
    "choose",
    "command",
    "current",
    "is_in",
    "last_checkpoint",
    "log_metric",
    "map",
    "merge",
    "metric",
    "not_",
    "on_exit",
    "on_failure",
    "otherwise",
    "otherwise_when",
    "outcome",
    "param",
    "progress",
    "register_codec",
    "released",
    "repeat",
    "step",
    "wait_for_event",
    "when",
    "workflow",
]

_AUTHOR = (
    "File",
    "Retry",
    "all_of",
    "any_of",
    "approve",
    "ask",
    "choose",
    "command",
    "is_in",
    "map",
    "merge",
    "metric",
    "not_",
    "on_exit",
    "on_failure",
    "otherwise",
    "otherwise_when",
    "outcome",
    "param",
    "released",
    "repeat",
    "step",
    "wait_for_event",
    "when",
    "workflow",
)
_INSIDE = ("checkpoint", "current", "last_checkpoint", "log_metric", "progress")
_HOMES = {
    **dict.fromkeys(_AUTHOR, "foldline.sdk.author"),
    **dict.fromkeys(_INSIDE, "foldline.runtime.context"),
    "register_codec": "foldline.runtime.codecs.authored",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
