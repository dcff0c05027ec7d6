"""Every name that authors write after `fl.`, from the modules that have them.

Standard library alone: the process of every step imports the author's file, and with it this module.
"""

from __future__ import annotations

from foldline.sdk.conditions import all_of, any_of, is_in, not_, otherwise, otherwise_when, when
from foldline.sdk.forms import map, repeat  # noqa: A004  # always used as fl.map
from foldline.sdk.handlers import on_exit, on_failure, outcome
from foldline.sdk.params import param
from foldline.sdk.policies import Retry
from foldline.sdk.programs import Command, File, command
from foldline.sdk.references import merge, metric
from foldline.sdk.steps import Step, step
from foldline.sdk.waits import approve, ask, choose, wait_for_event
from foldline.sdk.workflows import Workflow, released, workflow

__all__ = [
    "Command",
    "File",
    "Retry",
    "Step",
    "Workflow",
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
]
