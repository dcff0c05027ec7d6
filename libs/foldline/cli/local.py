"""`check` and `run`: what needs no installation."""

from __future__ import annotations

import asyncio
import functools
import signal
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from foldline.cli import failures, options, views
from foldline.cli.output import Output
from foldline.cli.progress import Progress, finish

if TYPE_CHECKING:
    from foldline.domain.run import RunState
    from foldline.domain.run_events import RunEvent
    from foldline.domain.spec import Graph
    from foldline.runtime.jobs import Line
    from foldline.sdk.problems import Problem

_choice = click.option("--workflow", "name", default="", help="Which workflow, where the file has several.")


@click.command()
@click.argument("file", type=options.FILE)
@options.output
def check(out: Output, file: Path) -> int:
    """Report every problem of the workflows in FILE, with rule and line. Exit code 2 when there are any."""
    found, problems = _checked(file)
    if out.json:
        out.document(
            {
                "ok": not problems,
                "workflows": [{"name": graph.name, "steps": len(graph.steps)} for graph in found],
                "problems": [_as_data(problem) for problem in problems],
            }
        )
    for problem in problems:
        out.say(str(problem))
    if problems:
        count = len(problems)
        out.say(f"{count} problem{'s' if count > 1 else ''}")
        return failures.USAGE
    for graph in found:
        out.say(f"{graph.name}: {len(graph.steps)} steps, {len(graph.parameters)} parameters, no problems")
    return failures.OK


@click.command()
@click.argument("file", type=options.FILE)
@options.setting
@options.values_file
@_choice
@click.option(
    "--home",
    type=options.FOLDER,
    default=Path(".foldline"),
    show_default=True,
    help="Folder for the record and the values.",
)
@click.option(
    "--isolated", is_flag=True, help="Build an environment of the workflow's requirements, as a release."
)
@options.output
def run(
    out: Output,
    file: Path,
    settings: tuple[str, ...],
    values: Path | None,
    name: str,
    home: Path,
    isolated: bool,
) -> int:
    """Run a workflow of FILE here: the same core as an installation, steps in processes of their own.

    Exit code 0 when the run completed, 1 when it failed, 3 when it was stopped (Ctrl-C).
    """
    from foldline.sdk import graphs, local, release, source
    from foldline.sdk import values as typed

    workflow = source.workflow(file, name)
    graph = graphs.check(workflow).require()
    given = typed.merged(settings, values, graph.parameters)
    environment = release.locked(workflow) if isolated else None
    with Progress(out) as progress:
        start = functools.partial(
            local.run, graph, given, root=file.resolve().parent, home=home.resolve(), environment=environment
        )
        state = asyncio.run(_shown(start, progress))
    view = views.of_state(state)
    record = home / "runs" / view.run_id / "events.jsonl"
    if out.json:
        plain = msgspec.to_builtins(view, builtin_types=(datetime,))
        out.document({**plain, "steps": list(plain["steps"].values()), "record": str(record)})
    else:
        finish(out, view)
        out.say(f"record: {record}")
    return failures.BY_STATUS[view.status]


async def _shown(start: Callable[..., Awaitable[RunState]], progress: Progress) -> RunState:
    """Start the run, show what it does, and stop it at Ctrl-C."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)

    def changed(state: RunState, events: Sequence[RunEvent], now: datetime) -> None:
        progress.show(lambda: views.of_state(state))
        for event in events:
            progress.event(type(event).__name__, msgspec.to_builtins(event), now)

    def logged(step: str, _: int, line: Line) -> None:
        if line.stream != "note":
            progress.log(step, line.text)

    return await start(changed=changed, logged=logged, stop=stop)


def _checked(file: Path) -> tuple[list[Graph], list[Problem]]:
    from foldline.sdk import graphs, source
    from foldline.sdk.problems import AuthoringError, Problem, Site

    try:
        declared = source.workflows(source.load(file))
    except AuthoringError as error:
        return [], list(error.problems)
    if not declared:
        message = "declares no workflow (@fl.workflow)"
        return [], [Problem(rule="NO_WORKFLOW", where="", message=message, site=Site(str(file), 0))]
    checked = [graphs.check(workflow) for workflow in declared]
    return (
        [one.graph for one in checked if one.graph is not None],
        [problem for one in checked for problem in one.problems],
    )


def _as_data(problem: Problem) -> dict[str, object]:
    return {
        "rule": problem.rule,
        "where": problem.where,
        "message": problem.message,
        "file": problem.site.file,
        "line": problem.site.line,
    }
