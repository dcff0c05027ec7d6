"""`rerun` and `fork`: a new run from an earlier one, which stays as it is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from foldline.cli import failures, options
from foldline.cli.following import started
from foldline.cli.ids import graph_of_run, whole_id

if TYPE_CHECKING:
    from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
    from foldline.domain.spec import Graph
    from foldline.sdk.changes import Change
    from foldline.sdk.client import Client

F = TypeVar("F", bound=Callable[..., Any])


class _Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the options of both commands say."""

    settings: tuple[str, ...]
    values: Path | None
    from_steps: tuple[str, ...]
    whole: bool
    allow: tuple[str, ...]
    watching: bool
    request_id: str
    priority: int
    release: str = ""


def _changing(function: F) -> F:
    """Adds the options that both commands have."""
    for option in (
        click.option("--priority", type=click.IntRange(-100, 100), default=0, help="Higher goes first."),
        click.option("--request-id", default="", help="Makes a repeated call give the same run."),
        click.option("--watch", "watching", is_flag=True, help="Follow the new run until it ends."),
        click.option(
            "--allow", multiple=True, metavar="STEP", help="Unsafe step that may run again; may be repeated."
        ),
        click.option("--whole", is_flag=True, help="Everything runs again."),
        click.option(
            "--from",
            "from_steps",
            multiple=True,
            metavar="STEP",
            help="Step that runs again in any case; may be repeated.",
        ),
        options.values_file,
        options.setting,
    ):
        function = option(function)
    return function


@click.command()
@click.argument("run")
@_changing
@options.remote
def rerun(session: options.Session, run: str, **wanted: Any) -> int:
    """Make a new run from RUN with the same release; RUN stays as it is.

    What did not succeed runs, and so does what --from names, what --set changes, and whatever these change
    in turn; everything else is reused. With --whole everything runs.
    """
    return _make(session, run, _Wanted(**wanted))


@click.command()
@click.argument("run")
@click.option("--release", default="", metavar="DIGEST", help='Another release; "current" is the newest.')
@click.option("--plan", "only_plan", is_flag=True, help="Show what would run and why; start nothing.")
@_changing
@options.remote
def fork(session: options.Session, run: str, only_plan: bool, **wanted: Any) -> int:
    """Make a new run from RUN with other values, inputs or code; RUN stays as it is.

    --plan shows step by step what would be reused and what would run, with the reason. An unsafe step is held
    unless --allow names it; on a terminal you are asked.
    """
    chosen = _Wanted(**wanted)
    if not only_plan:
        return _make(session, run, chosen)

    async def action(client: Client) -> list[pb.PlannedStep]:
        run_id = await whole_id(client, run)
        return await client.runs.plan_fork(run_id, await _change(client, run_id, chosen))

    show_plan(session, session.ask(action))
    return failures.OK


def show_plan(session: options.Session, steps: list[pb.PlannedStep]) -> None:
    """What would become of each step, and why."""
    from foldline.wire import messages

    if session.out.json:
        session.out.document([messages.to_dict(step) for step in steps])
        return
    rows = [(step.step, step.action, _items(step), step.reason) for step in steps]
    session.out.table(("step", "what", "items", "why"), rows)


def _items(step: pb.PlannedStep) -> str:
    counts = (("reuse", step.items_reused), ("run", step.items_run))
    return ", ".join(f"{word} {count}" for word, count in counts if count)


def _make(session: options.Session, run: str, wanted: _Wanted) -> int:
    if wanted.whole and wanted.from_steps:
        raise click.UsageError("--whole runs every step again, --from some: give one of them")
    asks = session.out.is_terminal and sys.stdin.isatty()

    async def action(client: Client) -> str:
        run_id = await whole_id(client, run)
        change = await _change(client, run_id, wanted)
        if asks:
            change = _confirmed(change, await client.runs.plan_fork(run_id, change))
        return await client.runs.fork(run_id, change, request_id=wanted.request_id, priority=wanted.priority)

    return started(session, session.ask(action), watching=wanted.watching)


def _confirmed(change: Change, steps: list[pb.PlannedStep]) -> Change:
    """Ask for each unsafe step whether it may run again; one that may not is held by the new run."""
    allowed = [
        step.step
        for step in steps
        if step.action == "hold"
        and click.confirm(f"{step.step} is unsafe ({step.reason}). May it run again?", default=False)
    ]
    return msgspec.structs.replace(change, allow=(*change.allow, *allowed))


async def _change(client: Client, run_id: str, wanted: _Wanted) -> Change:
    from foldline.sdk import values as typed
    from foldline.sdk.changes import Change

    given = {}
    if wanted.settings or wanted.values:
        graph = await _graph(client, run_id, wanted.release)
        given = dict(typed.merged(wanted.settings, wanted.values, graph.parameters))
    return Change(
        values=given,
        release=wanted.release,
        from_steps=wanted.from_steps,
        whole=wanted.whole,
        allow=wanted.allow,
    )


async def _graph(client: Client, run_id: str, release: str) -> Graph:
    """The graph whose parameters the values are for: that of the release that will run."""
    from foldline.domain.spec import Graph
    from foldline.wire import messages

    if not release:
        return await graph_of_run(client, run_id)
    workflow = (await client.runs.get(run_id)).run.workflow
    found = await client.workflows.get_release(workflow, "" if release == "current" else release)
    return messages.from_message(found.graph, Graph)
