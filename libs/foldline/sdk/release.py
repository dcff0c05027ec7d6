"""Making a release of an author's file: checked graph, code bundle, locked environment, documentation."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

import msgspec

from foldline import environments
from foldline.domain.spec import Environment, Graph
from foldline.sdk import bundle, graphs, source
from foldline.sdk.workflows import Workflow


class Draft(msgspec.Struct, frozen=True):
    """Everything that a release is made of."""

    graph: Graph
    bundle: bytes
    environment: Environment
    docs: str


def draft(file: Path, name: str = "") -> Draft:
    """Build the release of a workflow in `file`. Raises AuthoringError or FoldlineError naming what is wrong.

    Its steps run with the Python version that is running now.
    """
    file = file.resolve()
    workflow = source.workflow(file, name)
    graph = graphs.check(workflow).require()
    archive = bundle.build(file.parent)
    return Draft(graph=graph, bundle=archive, environment=locked(workflow), docs=_docs(file, workflow))


def locked(workflow: Workflow[..., Any]) -> Environment:
    """The workflow's requirements, locked for the Python version that is running now."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    lock = environments.lock(workflow.requirements, python) if workflow.requirements else ""
    return Environment(python=python, requirements=workflow.requirements, lock=lock)


def _docs(file: Path, workflow: Workflow[..., Any]) -> str:
    """The README beside the file where there is one, else what the workflow says of itself."""
    readme = file.parent / "README.md"
    if readme.is_file():
        return readme.read_text(encoding="utf-8")
    return workflow.description or inspect.cleandoc(inspect.getmodule(workflow.function).__doc__ or "")
