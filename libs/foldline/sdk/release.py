"""Making a release of an author's file: checked graph, code bundle, locked environment, documentation."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from foldline import environments
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.spec import Body, Environment, Graph
from foldline.sdk import bundle, graphs, source
from foldline.sdk.building import Releases
from foldline.sdk.catalog import Workflows
from foldline.sdk.codes import Codes
from foldline.sdk.workflows import Workflow
from foldline.wire import messages


class Draft(msgspec.Struct, frozen=True):
    """Everything that a release is made of."""

    graph: Graph
    bundle: bytes
    environment: Environment
    docs: str


def draft(file: Path, name: str = "", releases: Releases | None = None, *, python: str = "") -> Draft:
    """Build the release of a workflow in `file`. Raises AuthoringError or FoldlineError naming what is wrong.

    Its steps run with that version of Python (major.minor), or with the one that is running now. `releases`
    are the other releases that it uses.
    """
    file = file.resolve()
    workflow = source.workflow(file, name)
    graph = graphs.check(workflow, codes=Codes.read(file.parent), releases=releases).require()
    archive = bundle.build(file.parent)
    return Draft(
        graph=graph, bundle=archive, environment=locked(workflow, python), docs=_docs(file, workflow)
    )


async def find(workflows: Workflows, pins: Iterable[tuple[str, str]]) -> Releases:
    """The bodies of other releases (`graphs.pins`), asked of the registry; a sentence for one it has not."""
    found: dict[tuple[str, str], Body | str] = {}
    for name, digest in sorted(pins):
        try:
            release = await workflows.get_release(name, digest)
        except FoldlineError as error:
            if error.kind not in (Kind.NOT_FOUND, Kind.INVALID):
                raise
            found[name, digest] = error.message
            continue
        found[name, digest] = Body(
            graph=messages.from_message(release.graph, Graph),
            release=release.digest,
            bundle=release.bundle,
            environment=release.environment,
        )
    return found


def unknown(pins: Iterable[tuple[str, str]], reason: str) -> Releases:
    """None of the releases can be had, for this reason."""
    return dict.fromkeys(pins, reason)


def locked(workflow: Workflow[..., Any], python: str = "") -> Environment:
    """The workflow's requirements, locked for that Python version, or the one that is running now."""
    python = python or f"{sys.version_info.major}.{sys.version_info.minor}"
    lock = environments.lock(workflow.requirements, python)
    return Environment(python=python, requirements=workflow.requirements, lock=lock)


def _docs(file: Path, workflow: Workflow[..., Any]) -> str:
    """The README beside the file where there is one, else what the workflow says of itself."""
    readme = file.parent / "README.md"
    if readme.is_file():
        return readme.read_text(encoding="utf-8")
    return workflow.description or inspect.cleandoc(inspect.getmodule(workflow.function).__doc__ or "")
