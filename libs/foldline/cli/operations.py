"""`stop`, `pause`, `resume` and `retry`: operations on a run that goes on, or went wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foldline.cli import options
from foldline.cli.ids import graph_of_run, whole_id

if TYPE_CHECKING:
    from foldline.domain.spec import Json
    from foldline.sdk.client import Client

_reason = click.option("--reason", default="", help="Why, for the record.")


@click.command()
@click.argument("run")
@click.option("--step", default="", help="Stop this step alone; the rest of the run goes on.")
@click.option("--force", is_flag=True, help="Kill at once, without grace time; handlers do not run either.")
@_reason
@options.remote
def stop(session: options.Session, run: str, step: str, force: bool, reason: str) -> None:
    """Ask RUN to stop: running steps get SIGTERM, and after their grace time SIGKILL."""
    if step and force:
        raise click.UsageError("--force kills a whole run; --step stops one step with its grace time")

    async def action(client: Client, run_id: str) -> None:
        if step:
            await client.operations.stop_step(run_id, step, reason)
        else:
            await client.operations.stop(run_id, reason, forced=force)

    carry_out(session, run, action, f"step {step} of run {{}} is stopping" if step else "run {} is stopping")


@click.command()
@click.argument("run")
@_reason
@options.remote
def pause(session: options.Session, run: str, reason: str) -> None:
    """Start nothing new in RUN; what runs goes on. `resume` undoes it."""
    carry_out(
        session, run, lambda client, run_id: client.operations.pause(run_id, reason), "run {} is paused"
    )


@click.command()
@click.argument("run")
@options.remote
def resume(session: options.Session, run: str) -> None:
    """Let a paused RUN go on."""
    carry_out(session, run, lambda client, run_id: client.operations.resume(run_id), "run {} goes on")


@click.command()
@click.argument("run")
@click.argument("steps", nargs=-1, metavar="[STEP]...")
@options.setting
@options.values_file
@_reason
@options.remote
def retry(
    session: options.Session,
    run: str,
    steps: tuple[str, ...],
    settings: tuple[str, ...],
    values: Path | None,
    reason: str,
) -> None:
    """Let STEPs of RUN run once more that failed, are held or were stopped; without STEP all of these.

    In the same run, also one that has ended; what succeeded is not repeated. Values of --set count from now
    on.
    """

    async def action(client: Client, run_id: str) -> None:
        given = await typed(client, run_id, settings, values)
        await client.operations.retry(run_id, steps, values=given, reason=reason)

    carry_out(session, run, action, "run {} goes on; follow it with `foldline watch {}`")


async def typed(client: Client, run_id: str, settings: tuple[str, ...], file: Path | None) -> dict[str, Json]:
    """Values of parameters of the run's own graph."""
    if not settings and file is None:
        return {}
    from foldline.sdk import values

    return dict(values.merged(settings, file, (await graph_of_run(client, run_id)).parameters))


def carry_out(
    session: options.Session, run: str, action: Callable[[Client, str], Awaitable[None]], done: str
) -> None:
    """Do it to the run with that beginning of an id, and say that it was done."""

    async def found(client: Client) -> str:
        run_id = await whole_id(client, run)
        await action(client, run_id)
        return run_id

    run_id = session.ask(found)
    if session.out.json:
        session.out.document({"run_id": run_id})
    else:
        session.out.say(done.format(run_id, run_id))
