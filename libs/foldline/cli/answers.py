"""`todos`, `answer`, `provide`, `signal` and `why-waiting`: what runs wait for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import UNSET

from foldline.cli import advice, options, views
from foldline.cli.ids import graph_of_run, whole_id
from foldline.cli.operations import carry_out, typed

if TYPE_CHECKING:
    from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
    from foldline.domain.spec import Json, Parameter
    from foldline.sdk.client import Client


@click.command()
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@options.remote
def todos(session: options.Session, limit: int) -> None:
    """List the steps that wait for a person, oldest first, with what to type."""
    from foldline.wire import messages

    found = session.ask(lambda client: client.waits.todos(limit))
    if session.out.json:
        session.out.document([messages.to_dict(one) for one in found])
        return
    if not found:
        session.out.say("nothing waits for a person")
        return
    rows = [
        (
            one.workflow,
            one.step,
            one.kind,
            one.assignee or "anybody",
            views.moment(messages.to_time(one.since)),
            advice.command(one.kind, one.run_id, one.step),
        )
        for one in found
    ]
    session.out.table(("workflow", "step", "asks for", "whom", "since", "command"), rows)


@click.command()
@click.argument("run")
@click.argument("step")
@click.option("--yes/--no", "approved", default=None, help="Approve or reject.")
@click.option("--choose", "choice", default="", metavar="CHOICE", help="Take one of the choices.")
@options.setting
@options.values_file
@click.option("--comment", default="", help="Kept with the answer.")
@options.remote
def answer(
    session: options.Session,
    run: str,
    step: str,
    approved: bool | None,
    choice: str,
    settings: tuple[str, ...],
    values: Path | None,
    comment: str,
) -> None:
    """Answer what STEP of RUN asks: --yes or --no, --choose, or --set (--file) for the fields."""
    from foldline.sdk.values import merged

    if sum((approved is not None, bool(choice), bool(settings or values))) != 1:
        raise click.UsageError("give one answer: --yes, --no, --choose CHOICE, or --set FIELD=VALUE")

    async def action(client: Client, run_id: str) -> None:
        if approved is not None:
            await client.waits.approve(run_id, step, approved, comment=comment)
        elif choice:
            await client.waits.choose(run_id, step, choice, comment=comment)
        else:
            filled = dict(merged(settings, values, await _fields(client, run_id, step)))
            await client.waits.fill(run_id, step, filled, comment=comment)

    carry_out(session, run, action, f"step {step} of run {{}} is answered")


@click.command()
@click.argument("run")
@options.setting
@options.values_file
@options.remote
def provide(session: options.Session, run: str, settings: tuple[str, ...], values: Path | None) -> None:
    """Give values of parameters that RUN asks for on its way."""
    if not (settings or values):
        raise click.UsageError("give values: --set NAME=VALUE, or --file")

    async def action(client: Client, run_id: str) -> None:
        await client.waits.provide(run_id, await typed(client, run_id, settings, values))

    carry_out(session, run, action, "run {} has the values")


@click.command()
@click.argument("run")
@click.argument("event")
@click.option("--data", default="null", metavar="JSON", help="What the event brings.")
@options.remote
def signal(session: options.Session, run: str, event: str, data: str) -> None:
    """Deliver EVENT to the steps of RUN that wait for it."""
    import json

    try:
        content: Json = json.loads(data)
    except ValueError as error:
        raise click.BadParameter(f"{data!r} is not JSON: {error}", param_hint="--data") from error
    carry_out(
        session,
        run,
        lambda client, run_id: client.waits.deliver(run_id, event, content),
        f"event {event} was delivered to run {{}}",
    )


@click.command("why-waiting")
@click.argument("run")
@options.remote
def why_waiting(session: options.Session, run: str) -> None:
    """Say for every step of RUN that does not run why it does not."""
    from foldline.wire import messages

    async def action(client: Client) -> tuple[str, list[pb.WaitingStep]]:
        run_id = await whole_id(client, run)
        return run_id, await client.waits.explain(run_id)

    run_id, found = session.ask(action)
    if session.out.json:
        session.out.document([messages.to_dict(one) for one in found])
    elif not found:
        session.out.say(f"no step of run {run_id} waits: each runs or has ended")
    else:
        session.out.table(("step", "reason", "because"), [_reason(run_id, one) for one in found])


def _reason(run_id: str, one: pb.WaitingStep) -> tuple[str, str, str]:
    """A step of a run inside this one is shown with the rest of that run's id."""
    inside = one.run_id.removeprefix(run_id).lstrip(".")
    return f"{inside}/{one.step}" if inside else one.step, one.reason, one.message


async def _fields(client: Client, run_id: str, step: str) -> tuple[Parameter, ...]:
    """The form of a wait step; none where there is no such step, which the service says better."""
    waits = (one.wait for one in (await graph_of_run(client, run_id)).steps if one.name == step)
    return next((wait.fields for wait in waits if wait is not UNSET), ())
