"""`start`, `watch` and `runs`."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foldline.cli import options, views
from foldline.cli.following import follow, started
from foldline.cli.ids import whole_id

if TYPE_CHECKING:
    from foldline.api.recorder.v1 import recorder_service_pb2 as pb
    from foldline.sdk.client import Client

STATUSES = ("created", "running", "paused", "stopping", "ending", "completed", "failed", "stopped")
_some = functools.partial(click.option, multiple=True, metavar="STEP")


@click.command()
@click.argument("workflow")
@options.setting
@options.values_file
@click.option(
    "--watch", "watching", is_flag=True, help="Follow the run until it ends; Ctrl-C leaves it running."
)
@click.option("--request-id", default="", help="Makes a repeated call give the same run.")
@_some("--only", help="Run these steps alone.")
@_some("--from", "from_steps", help="Run these steps and all that hangs on them.")
@_some("--until", help="Run all that these steps need, and them.")
@click.option("--scene", default="", help="Run a named part of the workflow.")
@click.option("--inputs-from", default="", metavar="RUN", help="Outputs of steps that are left out.")
@click.option(
    "--cache",
    type=click.Choice(["off", "read-only", "refresh"]),
    default=None,
    help="How steps that declare caching use it; without it they read and write.",
)
@click.option(
    "--priority", type=click.IntRange(-100, 100), default=0, show_default=True, help="Higher goes first."
)
@options.remote
def start(
    session: options.Session,
    workflow: str,
    settings: tuple[str, ...],
    values: Path | None,
    watching: bool,
    request_id: str,
    cache: str | None,
    priority: int,
    inputs_from: str,
    **part: Any,
) -> int:
    """Start a run of WORKFLOW with its saved configuration, and --set over it for this run.

    With --watch the exit code tells how it ended: 0 completed, 1 failed, 3 stopped.
    """
    from foldline.cli.workflows import graph_of
    from foldline.sdk import values as typed
    from foldline.sdk.changes import Part

    async def action(client: Client) -> str:
        given = {}
        if settings or values:
            given = dict(typed.merged(settings, values, (await graph_of(client, workflow)).parameters))
        earlier = await whole_id(client, inputs_from) if inputs_from else ""
        return await client.runs.start(
            workflow,
            given,
            request_id=request_id,
            part=Part(**part, inputs_from=earlier) if earlier or any(part.values()) else None,
            cache=(cache or "").replace("-", "_"),
            priority=priority,
        )

    return started(session, session.ask(action), watching=watching)


@click.command()
@click.argument("run")
@options.remote
def watch(session: options.Session, run: str) -> int:
    """Follow RUN until it ends. Exit code 0 completed, 1 failed, 3 stopped; Ctrl-C leaves it running."""
    return follow(session, run)


@click.command()
@click.option("--workflow", default="", help="Only runs of this workflow.")
@click.option("--status", type=click.Choice(STATUSES), default=None, help="Only runs with this status.")
@click.option("--children-of", default="", metavar="RUN", help="The runs inside steps of this run.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@options.remote
def runs(session: options.Session, workflow: str, status: str | None, children_of: str, limit: int) -> None:
    """List runs that somebody started, newest first; with --children-of those inside a run."""
    from foldline.wire import messages

    async def action(client: Client) -> list[pb.Run]:
        parent = await whole_id(client, children_of) if children_of else ""
        return await client.runs.list(workflow=workflow, status=status or "", inside=parent, limit=limit)

    found = session.ask(action)
    if session.out.json:
        session.out.document([messages.to_dict(one) for one in found])
        return
    session.out.table(
        ("run", "workflow", "status", "started", "took", "steps", "by"), [_row(one) for one in found]
    )


def _row(run: pb.Run) -> tuple[str, ...]:
    view = views.of_messages(run, ())
    done = sum(count for status, count in run.step_counts.items() if status in ("completed", "skipped"))
    return (
        view.run_id,
        view.workflow,
        view.status,
        views.moment(view.create_time),
        views.duration(view.create_time, view.end_time),
        f"{done}/{sum(run.step_counts.values())}",
        view.started_by,
    )
