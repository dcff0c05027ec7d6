"""`trigger`: what starts runs on events."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from foldline.cli import failures, options, starters, views
from foldline.domain.errors import FoldlineError, Kind

if TYPE_CHECKING:
    from foldline.api.scheduler.v1 import trigger_service_pb2 as pb
    from foldline.sdk.client import Client


@click.group()
def trigger() -> None:
    """Start runs on events (CloudEvents 1.0). docs/schedules.md has the rules."""


@trigger.command()
@click.argument("name")
@click.argument("workflow")
@click.option("--subject", default="", help="NATS subject to listen to (default: the webhook alone).")
@click.option("--filter", "condition", default="", metavar="CEL", help="Must be true of `event`.")
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="NAME=CEL",
    help="Parameter from the event, e.g. file=event.data.path; repeat it.",
)
@options.setting
@options.values_file
@click.option("--description", default="")
@click.option("--replace", is_flag=True, help="Change the trigger of that name; its secret stays.")
@options.remote
def create(
    session: options.Session,
    name: str,
    workflow: str,
    subject: str,
    condition: str,
    mapping: tuple[str, ...],
    settings: tuple[str, ...],
    values: Path | None,
    description: str,
    replace: bool,
) -> None:
    """Create the trigger NAME, which starts runs of WORKFLOW. Shows the webhook's secret, once."""
    from foldline.domain.schedule_events import TriggerSettings
    from foldline.wire import messages

    parameters = dict(_pair(text) for text in mapping)

    async def action(client: Client) -> pb.CreateTriggerResponse:
        wanted = TriggerSettings(
            workflow=workflow,
            values=await starters.values(client, workflow, settings, values),
            subject=subject,
            filter=condition,
            parameters=parameters,
            description=description,
        )
        if not replace:
            return await client.triggers.create(name, wanted)
        from foldline.api.scheduler.v1 import trigger_service_pb2

        changed = await client.triggers.update(name, wanted)
        return trigger_service_pb2.CreateTriggerResponse(trigger=changed)

    made = session.ask(action)
    if session.out.json:
        session.out.document(messages.to_dict(made))
        return
    _show(session, made.trigger)
    if made.secret:
        session.out.say(f"secret  {made.secret}")
        session.out.say("The secret is the webhook's bearer token. It is not shown again.")


@trigger.command(name="list")
@options.remote
def list_(session: options.Session) -> None:
    """List the triggers of the workspace."""
    from foldline.wire import messages

    found = session.ask(lambda client: client.triggers.list())
    if session.out.json:
        session.out.document([messages.to_dict(one) for one in found])
        return
    session.out.table(
        ("trigger", "workflow", "subject", "filter", "last fired"),
        [
            (one.name, one.settings.workflow, one.settings.subject, one.settings.filter, _last(one))
            for one in found
        ],
    )


@trigger.command()
@click.argument("name", metavar="TRIGGER")
@options.remote
def show(session: options.Session, name: str) -> None:
    """Show TRIGGER: settings, webhook, open runs."""
    from foldline.wire import messages

    found = session.ask(lambda client: client.triggers.get(name))
    if session.out.json:
        session.out.document(messages.to_dict(found))
    else:
        _show(session, found)


@trigger.command()
@click.argument("name", metavar="TRIGGER")
@options.remote
def delete(session: options.Session, name: str) -> None:
    """Delete TRIGGER; its runs go on, its history stays."""
    session.ask(lambda client: client.triggers.delete(name))
    starters.say(session, {"trigger": name}, f"trigger {name} deleted")


@trigger.command()
@click.argument("name", metavar="TRIGGER")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@options.remote
def history(session: options.Session, name: str, limit: int) -> None:
    """Say why TRIGGER did or did not fire, newest first."""
    starters.history(session, session.ask(lambda client: client.triggers.history(name, limit=limit)))


@trigger.command()
@click.argument("name", metavar="TRIGGER")
@click.option("--event", "file", type=options.FILE, help="CloudEvent as a JSON file.")
@click.option(
    "--type", "type_", default="manual", show_default=True, help="Type of the event, without --event."
)
@click.option("--data", default="", metavar="JSON", help="Data of the event, without --event.")
@click.option("--id", "event_id", default="", help="Id of the event, without --event (default: a new one).")
@options.remote
def fire(session: options.Session, name: str, file: Path | None, type_: str, data: str, event_id: str) -> int:
    """Give TRIGGER an event by hand. Exit code 4 where it is ignored."""
    event = _read(file) if file else _made(session, type_, data, event_id)
    answer = session.ask(lambda client: client.triggers.fire(name, event))
    ignored = f"the event was ignored: {answer.message} ({answer.reason})"
    starters.say(session, answer, f"run {answer.run_id} started" if answer.run_id else ignored)
    return failures.OK if answer.run_id else failures.REFUSED


def _show(session: options.Session, found: pb.Trigger) -> None:
    from foldline.wire import messages

    settings = found.settings
    session.out.fields(
        {
            "trigger": found.name,
            "workflow": settings.workflow,
            "subject": settings.subject,
            "filter": settings.filter,
            "mapping": ", ".join(f"{name}={text}" for name, text in sorted(settings.parameters.items())),
            "values": starters.shown(messages.from_struct(settings.values)),
            "open runs": ", ".join(found.open_runs),
            "last fired": _last(found),
            "last run": found.last_run_id,
            "about": settings.description,
            "webhook": f"POST {found.hook}",
        }
    )


def _last(found: pb.Trigger) -> str:
    from foldline.wire import messages

    return views.moment(messages.to_time(found.last_time)) if found.HasField("last_time") else ""


def _pair(text: str) -> tuple[str, str]:
    name, equals, expression = text.partition("=")
    if not equals or not name:
        raise FoldlineError(Kind.INVALID, "ILLEGAL_SETTING", f"{text!r} is not of the form NAME=CEL")
    return name, expression


def _read(file: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError) as error:
        raise FoldlineError(Kind.INVALID, "EVENT_UNREADABLE", f"{file}: {error}") from error


def _made(session: options.Session, type_: str, data: str, event_id: str) -> dict[str, Any]:
    from foldline.chassis.clock import new_id

    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": event_id or new_id(),
        "source": f"/foldline/{session.connection.workspace}/cli",
        "type": type_,
    }
    if data:
        try:
            event["data"] = msgspec.json.decode(data)
        except msgspec.DecodeError as error:
            message = f"--data is not JSON: {error}"
            raise FoldlineError(Kind.INVALID, "EVENT_UNREADABLE", message) from error
    return event
