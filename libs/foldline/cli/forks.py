"""`fork` and `rerun`: a new run made from an earlier one, which stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from foldline.cli import failures, options
from foldline.cli.ids import whole_id
from foldline.cli.operations import typed

if TYPE_CHECKING:
    from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
    from foldline.sdk.changes import Change
    from foldline.sdk.client import Client

_from = click.option(
    "--from", "from_steps", multiple=True, metavar="STEP", help="Run this step again in any case."
)
_allow = click.option(
    "--allow", multiple=True, metavar="STEP", help="Let this unsafe step run again; its effects may double."
)
_watch = click.option("--watch", "watching", is_flag=True, help="Follow the new run until it ends.")


@click.command()
@click.argument("run")
@_from
@options.setting
@click.option("--release", default="", metavar="DIGEST", help='Code of this release, or "current".')
@_allow
@click.option("--plan", "plan_only", is_flag=True, help="Only say what each step would do.")
@_watch
@options.remote
def fork(
    session: options.Session,
    run: str,
    from_steps: tuple[str, ...],
    settings: tuple[str, ...],
    release: str,
    allow: tuple[str, ...],
    plan_only: bool,
    watching: bool,
) -> int:
    """Make a new run from RUN with other values or code; what equal attempts gave is taken over.

    With --plan: per step reuse, run or skip, and why; nothing is started.
    """
    from foldline.sdk.changes import Change

    async def change(client: Client, run_id: str) -> Change:
        values = await typed(client, run_id, settings)
        return Change(values=values, release=release, from_steps=from_steps, allow=allow)

    if plan_only:
        return _plan(session, run, change)
    return _start(session, run, change, watching)


@click.command()
@click.argument("run")
@_from
@click.option("--whole", is_flag=True, help="Run every step again, whatever is known.")
@options.setting
@_allow
@_watch
@options.remote
def rerun(
    session: options.Session,
    run: str,
    from_steps: tuple[str, ...],
    whole: bool,
    settings: tuple[str, ...],
    allow: tuple[str, ...],
    watching: bool,
) -> int:
    """Run RUN once more as a new run: what failed, the steps of --from, or with --whole all of it."""
    from foldline.sdk.changes import Change

    if whole and from_steps:
        raise click.UsageError("--whole runs every step again, --from some: give one of them")

    async def change(client: Client, run_id: str) -> Change:
        values = await typed(client, run_id, settings)
        return Change(values=values, from_steps=from_steps, whole=whole, allow=allow)

    return _start(session, run, change, watching)


def _plan(session: options.Session, run: str, change: _ChangeOf) -> int:
    from foldline.wire import messages

    async def action(client: Client) -> Sequence[pb.PlannedStep]:
        run_id = await whole_id(client, run)
        return await client.runs.plan_fork(run_id, await change(client, run_id))

    steps = session.ask(action)
    if session.out.json:
        session.out.document([messages.to_dict(one) for one in steps])
    else:
        session.out.table(("step", "would", "because"), [_row(one) for one in steps])
    return failures.OK


def _row(one: pb.PlannedStep) -> tuple[str, str, str]:
    items = f" ({one.items_reused} items reused, {one.items_run} run)" if one.items_run else ""
    return one.step, one.action, one.reason + items


def _start(session: options.Session, run: str, change: _ChangeOf, watching: bool) -> int:
    from foldline.cli.runs import started

    async def action(client: Client) -> str:
        run_id = await whole_id(client, run)
        return await client.runs.fork(run_id, await change(client, run_id))

    return started(session, session.ask(action), watching)


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    _ChangeOf = Callable[[Client, str], Awaitable[Change]]
