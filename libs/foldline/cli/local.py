"""`check` and `run`: what needs no installation."""

from __future__ import annotations

import asyncio
import functools
import signal
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from foldline.cli import failures, options, questions, views
from foldline.cli.output import Output
from foldline.cli.progress import Progress, finish
from foldline.domain.errors import FoldlineError

if TYPE_CHECKING:
    from foldline.domain.run import RunState
    from foldline.domain.run_events import RunEvent
    from foldline.domain.spec import Graph
    from foldline.runtime.jobs import Line
    from foldline.sdk.building import Releases
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
@click.option(
    "--answer",
    "answers",
    multiple=True,
    metavar="STEP=ANSWER",
    help="Answer to a step that asks: yes, no, a choice, or JSON. Without it a terminal is asked.",
)
@click.option("--only", multiple=True, metavar="STEP", help="Run this step alone; may be repeated.")
@click.option("--from", "from_", multiple=True, metavar="STEP", help="Run it and all that hangs on it.")
@click.option("--until", multiple=True, metavar="STEP", help="Run it and all that it needs.")
@click.option("--scene", default="", metavar="NAME", help="Run the steps of a scene of the workflow.")
@click.option(
    "--inputs-from", default="", metavar="RUN", help="Earlier local run that gives what is not selected."
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
    answers: tuple[str, ...],
    inputs_from: str,
    **chosen: Any,
) -> int:
    """Run a workflow of FILE here: the same core as an installation, steps in processes of their own.

    Exit code 0 when the run completed, 1 when it failed, 3 when it was stopped (Ctrl-C; a second one kills
    what still runs).
    """
    from foldline.domain import selection
    from foldline.sdk import graphs, local, release, source
    from foldline.sdk import values as typed
    from foldline.sdk.codes import Codes

    workflow = source.workflow(file, name)
    root = file.resolve().parent
    elsewhere = release.unknown(graphs.pins(workflow), "a run without an installation has no other releases")
    graph = graphs.check(workflow, codes=Codes.read(root), releases=elsewhere).require()
    selected = selection.select(graph, **chosen)
    start = functools.partial(
        local.run,
        graph,
        typed.merged(settings, values, graph.parameters),
        root=root,
        home=home.resolve(),
        environment=release.locked(workflow) if isolated else None,
        selected=selected,
        given=local.given_by(home.resolve(), inputs_from, graph, selected) if inputs_from else None,
        answers=questions.given(answers),
    )
    with Progress(out) as progress:
        if questions.can_ask(out):
            start = functools.partial(start, ask=questions.Terminal(out, progress).ask)
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
    """Start the run, show what it does, and stop it at Ctrl-C. Of runs inside it, what their steps print."""
    stop, force = asyncio.Event(), asyncio.Event()

    def interrupt() -> None:
        (force if stop.is_set() else stop).set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupt)

    def changed(state: RunState, events: Sequence[RunEvent], now: datetime) -> None:
        if state.is_part:
            return
        progress.show(lambda: views.of_state(state))
        for event in events:
            progress.event(type(event).__name__, msgspec.to_builtins(event), now)

    def logged(step: str, _: int, line: Line) -> None:
        if line.stream != "note":
            progress.log(step, line.text)

    return await start(changed=changed, logged=logged, stop=stop, force=force)


def _checked(file: Path) -> tuple[list[Graph], list[Problem]]:
    from foldline.sdk import graphs, source
    from foldline.sdk.codes import Codes
    from foldline.sdk.problems import AuthoringError, Problem, Site

    try:
        declared = source.workflows(source.load(file))
    except AuthoringError as error:
        return [], list(error.problems)
    if not declared:
        message = "declares no workflow (@fl.workflow)"
        return [], [Problem(rule="NO_WORKFLOW", where="", message=message, site=Site(str(file), 0))]
    checked = graphs.check_all(
        declared, codes=Codes.read(file.resolve().parent), releases=_others(graphs.pins(*declared))
    )
    problems = dict.fromkeys(problem for one in checked for problem in one.problems)
    return [one.graph for one in checked if one.graph is not None], list(problems)


def _others(pins: set[tuple[str, str]]) -> Releases | None:
    """The other releases that workflows use, of the installation that a client would talk to."""
    from foldline.sdk import context, release
    from foldline.sdk.client import Client

    if not pins:
        return None

    async def ask() -> Releases:
        async with Client.of(context.find()) as client:
            return await release.find(client.workflows, pins)

    try:
        return asyncio.run(ask())
    except FoldlineError as error:
        return release.unknown(pins, error.message)


def _as_data(problem: Problem) -> dict[str, object]:
    return {
        "rule": problem.rule,
        "where": problem.where,
        "message": problem.message,
        "file": problem.site.file,
        "line": problem.site.line,
    }
