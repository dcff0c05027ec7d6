"""`schedule`: what starts runs at times."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foldline.cli import options, spans, starters, views

if TYPE_CHECKING:
    from foldline.api.scheduler.v1 import schedule_service_pb2 as pb
    from foldline.domain.schedule_events import ScheduleSettings, Times
    from foldline.domain.spec import Json
    from foldline.sdk.client import Client

_OVERLAPS = click.Choice(("skip", "queue", "cancel", "allow"))


@click.group()
def schedule() -> None:
    """Start runs at times: cron, interval, one-off, backfill. docs/schedules.md has the rules."""


@schedule.command()
@click.argument("name")
@click.argument("workflow")
@click.option(
    "--cron", default="", metavar="FIELDS", help="minute hour day month weekday; six: seconds first."
)
@click.option("--zone", default="", metavar="ZONE", help="Time zone of --cron (default: UTC).")
@click.option("--every", default="", metavar="TIME", help="Interval such as 30s, 15m, 12h, 1d.")
@click.option(
    "--start", default="", metavar="MOMENT", help="First time of --every (default: whole multiples)."
)
@click.option("--once", default="", metavar="MOMENT", help="One single time.")
@click.option(
    "--overlap", type=_OVERLAPS, default="skip", show_default=True, help="When the run before is still open."
)
@click.option(
    "--catch-up", default="", metavar="TIME", help="So late a missed time still fires (default: 60s)."
)
@click.option("--jitter", default="", metavar="TIME", help="Delay each time by up to so much.")
@options.setting
@options.values_file
@click.option(
    "--time-parameter", default="", metavar="NAME", help="str parameter that gets the scheduled time."
)
@click.option("--description", default="")
@click.option("--replace", is_flag=True, help="Change the schedule of that name.")
@options.remote
def create(
    session: options.Session,
    name: str,
    workflow: str,
    cron: str,
    zone: str,
    every: str,
    start: str,
    once: str,
    overlap: str,
    catch_up: str,
    jitter: str,
    settings: tuple[str, ...],
    values: Path | None,
    time_parameter: str,
    description: str,
    replace: bool,
) -> None:
    """Create the schedule NAME, which starts runs of WORKFLOW. Give one of --cron, --every, --once."""
    from foldline.domain.schedule_events import ScheduleSettings

    times = _times(cron, zone, every, start, once)
    late, spread = spans.seconds(catch_up), spans.seconds(jitter)

    async def action(client: Client) -> pb.Schedule:
        wanted = ScheduleSettings(
            workflow=workflow,
            values=await starters.values(client, workflow, settings, values),
            time_parameter=time_parameter,
            times=times,
            overlap=overlap,  # type: ignore[arg-type]  # click has checked the choice
            catch_up_seconds=late,
            jitter_seconds=spread,
            description=description,
        )
        change = client.schedules.update if replace else client.schedules.create
        return await change(name, wanted)

    _show(session, session.ask(action))


@schedule.command(name="list")
@options.remote
def list_(session: options.Session) -> None:
    """List the schedules of the workspace."""
    from foldline.wire import messages

    found = session.ask(lambda client: client.schedules.list())
    if session.out.json:
        session.out.document([messages.to_dict(one) for one in found])
        return
    session.out.table(
        ("schedule", "workflow", "times", "overlap", "state", "next", "last run"),
        [_row(one) for one in found],
    )


@schedule.command()
@click.argument("name", metavar="SCHEDULE")
@options.remote
def show(session: options.Session, name: str) -> None:
    """Show SCHEDULE: settings, next times, open runs, backfills."""
    _show(session, session.ask(lambda client: client.schedules.get(name)))


@schedule.command()
@click.argument("name", metavar="SCHEDULE")
@click.option("--reason", default="", help="Why, for the record.")
@options.remote
def pause(session: options.Session, name: str, reason: str) -> None:
    """Let SCHEDULE fire no more until it is resumed."""
    found = session.ask(lambda client: client.schedules.pause(name, reason))
    starters.say(session, found, f"schedule {name} is paused")


@schedule.command()
@click.argument("name", metavar="SCHEDULE")
@options.remote
def resume(session: options.Session, name: str) -> None:
    """Let SCHEDULE fire again; the times of the pause are skipped."""
    found = session.ask(lambda client: client.schedules.resume(name))
    following = f", next at {_next(found)}" if found.next_times else ""
    starters.say(session, found, f"schedule {name} goes on{following}")


@schedule.command()
@click.argument("name", metavar="SCHEDULE")
@options.remote
def delete(session: options.Session, name: str) -> None:
    """Delete SCHEDULE; its runs go on, its history stays."""
    session.ask(lambda client: client.schedules.delete(name))
    starters.say(session, {"schedule": name}, f"schedule {name} deleted")


@schedule.command()
@click.argument("name", metavar="SCHEDULE")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@options.remote
def history(session: options.Session, name: str, limit: int) -> None:
    """Say why SCHEDULE did or did not fire, newest first."""
    starters.history(session, session.ask(lambda client: client.schedules.history(name, limit=limit)))


@schedule.command()
@click.argument("name", metavar="SCHEDULE")
@click.option("--from", "first", default="", metavar="MOMENT", help="First moment; UTC without an offset.")
@click.option("--to", "last", default="", metavar="MOMENT", help="Last moment, in the past.")
@click.option("--parallelism", type=click.IntRange(1, 100), default=1, show_default=True)
@click.option("--cancel", default="", metavar="BACKFILL", help="Let a backfill fire no more instead.")
@options.remote
def backfill(
    session: options.Session, name: str, first: str, last: str, parallelism: int, cancel: str
) -> None:
    """Fire all times of SCHEDULE in a range, oldest first, so many runs at once."""
    if cancel:
        session.ask(lambda client: client.schedules.cancel_backfill(name, cancel))
        starters.say(session, {"backfill": cancel}, f"backfill {cancel} cancelled; its open runs go on")
        return
    if not (first and last):
        raise click.UsageError("give --from and --to, or --cancel BACKFILL")
    begin, end = spans.moment(first), spans.moment(last)
    made = session.ask(lambda client: client.schedules.backfill(name, begin, end, parallelism=parallelism))
    starters.say(session, {"backfill": made}, f"backfill {made} goes on: `foldline schedule show {name}`")


def _times(cron: str, zone: str, every: str, start: str, once: str) -> Times:
    from msgspec import UNSET

    from foldline.domain.schedule_events import Times

    return Times(
        cron=cron,
        time_zone=zone,
        every_seconds=spans.seconds(every),
        start=spans.moment(start) if start else UNSET,
        once=spans.moment(once) if once else UNSET,
    )


def _show(session: options.Session, found: pb.Schedule) -> None:
    from foldline.domain.schedule_events import ScheduleSettings
    from foldline.wire import messages

    if session.out.json:
        session.out.document(messages.to_dict(found))
        return
    settings = messages.from_message(found.settings, ScheduleSettings)
    waiting = views.moment(messages.to_time(found.waiting)) if found.HasField("waiting") else ""
    session.out.fields(
        {
            "schedule": found.name,
            "workflow": settings.workflow,
            "times": _described(settings.times),
            "state": _state(found),
            "next": ", ".join(views.moment(messages.to_time(one)) for one in found.next_times),
            "waiting": waiting and f"{waiting}, until the run before it has ended",
            "overlap": settings.overlap,
            "catch-up": spans.span(settings.catch_up_seconds),
            "jitter": spans.span(settings.jitter_seconds) if settings.jitter_seconds else "",
            "values": starters.shown(_all_values(settings)),
            "open runs": ", ".join(found.open_runs),
            "last run": found.last_run_id,
            "about": settings.description,
        }
    )
    for one in found.backfills:
        first, last = (views.moment(messages.to_time(at)) for at in (one.first, one.last))
        session.out.say(f"backfill {one.id}: {first} to {last}, {one.fired} fired, {one.open} open")


def _row(found: pb.Schedule) -> tuple[str, ...]:
    from foldline.domain.schedule_events import ScheduleSettings
    from foldline.wire import messages

    settings = messages.from_message(found.settings, ScheduleSettings)
    times = _described(settings.times)
    return (
        found.name,
        settings.workflow,
        times,
        settings.overlap,
        _state(found),
        _next(found),
        found.last_run_id,
    )


def _state(found: pb.Schedule) -> str:
    if found.paused:
        return f"paused: {found.pause_reason}" if found.pause_reason else "paused"
    return "active" if found.next_times else "over"


def _next(found: pb.Schedule) -> str:
    from foldline.wire import messages

    return views.moment(messages.to_time(found.next_times[0])) if found.next_times else ""


def _described(times: Times) -> str:
    if times.cron:
        return f"{times.cron} ({times.time_zone or 'UTC'})"
    if times.every_seconds:
        start = f" from {views.moment(times.start)}" if isinstance(times.start, datetime) else ""
        return f"every {spans.span(times.every_seconds)}{start}"
    return f"once {views.moment(times.once)}" if isinstance(times.once, datetime) else ""


def _all_values(settings: ScheduleSettings) -> dict[str, Json]:
    given = dict(settings.values)
    if settings.time_parameter:
        given[settings.time_parameter] = "(scheduled time)"
    return given
