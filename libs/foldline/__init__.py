"""Foldline: machine-learning workflows whose every state is the fold of recorded events.

`import foldline as fl` stays light: the names that authors and steps use are loaded when first touched, so
importing any sub-package never pulls in another one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foldline.runtime.context import current, log_metric, progress
    from foldline.sdk.author import File, Image, otherwise, param, step, when, workflow

__version__ = "0.1.0"

__all__ = [
    "File",
    "Image",
    "__version__",
    "current",
    "log_metric",
    "otherwise",
    "param",
    "progress",
    "step",
    "when",
    "workflow",
]

_HOMES = {
    **dict.fromkeys(
        ("step", "workflow", "param", "when", "otherwise", "File", "Image"), "foldline.sdk.author"
    ),
    **dict.fromkeys(("log_metric", "progress", "current"), "foldline.runtime.context"),
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
