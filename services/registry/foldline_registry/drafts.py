"""What a release may be made of. Pure: everything is checked before anything is stored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

import msgspec
from msgspec import UNSET

from foldline.domain import check_commands, dag
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.problems import hint
from foldline.domain.releases import canonical
from foldline.domain.spec import Environment, Graph
from foldline_registry import bundles

GRAPH_LIMIT_BYTES = 4 * 1024**2
ENVIRONMENT_LIMIT_BYTES = 4 * 1024**2
DOCS_LIMIT_BYTES = 1024**2

_PYTHON = re.compile(r"3\.[1-9][0-9]?")
_HASH = "--hash="


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    graph: Graph
    bundle: bytes
    environment: Environment
    docs: str


def check(draft: Draft) -> None:
    """Raise INVALID naming the thing and the rule. Reads the whole bundle: call it off the event loop."""
    dag.compile(draft.graph)
    _limit("graph", len(canonical(draft.graph)), GRAPH_LIMIT_BYTES)
    _limit("docs", len(draft.docs.encode()), DOCS_LIMIT_BYTES)
    _check_environment(draft.environment)
    if draft.bundle:
        bundles.check(draft.bundle)
        _check_scripts(draft.graph, bundles.names(draft.bundle))
    else:
        _refuse_functions(draft.graph)


def _refuse_functions(graph: Graph) -> None:
    for step in graph.steps:
        if step.kind == "function" or (step.command is not UNSET and step.command.script):
            raise FoldlineError(
                Kind.INVALID,
                "BUNDLE_MISSING",
                f"step {step.name} runs code of its own, but the release has no code bundle",
                step=step.name,
            )


def _check_scripts(graph: Graph, files: frozenset[str]) -> None:
    for step, script in check_commands.scripts(graph):
        if str(PurePosixPath(script)) not in files:
            raise FoldlineError(
                Kind.INVALID,
                "SCRIPT_MISSING",
                f"step {step} runs script {script}, which is not in the code bundle{hint(script, files)}",
                step=step,
            )


def _check_environment(environment: Environment) -> None:
    _limit("environment", len(canonical(environment)), ENVIRONMENT_LIMIT_BYTES)
    for rule in _environment_problems(environment):
        raise FoldlineError(Kind.INVALID, "ILLEGAL_ENVIRONMENT", f"environment: {rule}", rule=rule)


def _environment_problems(environment: Environment) -> Iterator[str]:
    if not _PYTHON.fullmatch(environment.python):
        yield f"python is {environment.python[:40]!r}, but must be a version like 3.11"
    if environment.requirements and not environment.lock.strip():
        yield "there are requirements, but no lock; lock them with `foldline release`"
    for number, line in enumerate(environment.lock.splitlines(), start=1):
        text = line.strip()
        # Options would point the executor's installer at files and hosts of the author's choice.
        if text.startswith("-") and not text.startswith(_HASH):
            yield f"line {number} of the lock is the option {text[:40]!r}, not a package"


def _limit(what: str, size: int, limit: int) -> None:
    if size > limit:
        raise FoldlineError(
            Kind.INVALID,
            "TOO_LARGE",
            f"{what}: {size} bytes are more than {limit // 1024**2} MiB",
            what=what,
            limit=str(limit),
        )
