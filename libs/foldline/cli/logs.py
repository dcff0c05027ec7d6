"""`logs`: what a step wrote, all of it or what is looked for."""

from __future__ import annotations

from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from foldline.chassis.clock import SystemClock
from foldline.cli import options, spans, views
from foldline.cli.ids import whole_id

if TYPE_CHECKING:
    from datetime import datetime

    from foldline.api.recorder.v1.recorder_service_pb2 import LogLine, ReadLogResponse
    from foldline.cli.output import Output
    from foldline.sdk.client import Client
    from foldline.sdk.runs import LogPart


@click.command()
@click.argument("run")
@click.argument("step", required=False)
@click.option("--step", "named", metavar="STEP", help="The same as the argument.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the attempt ends.")
@click.option("--attempt", type=click.IntRange(min=1), help="Which attempt; without it the newest.")
@click.option("--rank", type=click.IntRange(min=0), help="Only this process of a step of several.")
@click.option("--tail", type=click.IntRange(min=1), help="Only so many of the newest lines.")
@click.option(
    "--since", metavar="TIME", help='Only lines from then on: a moment, or a time ago such as "10m".'
)
@click.option(
    "--search", metavar="TEXT", help="Only lines with this text in them, upper and lower case alike."
)
@click.option("--pattern", metavar="REGEX", help="Only lines in which this is found, in the syntax of RE2.")
@click.option("-t", "--times", is_flag=True, help="Show when each line was written.")
@options.remote
def logs(
    session: options.Session,
    run: str,
    step: str | None,
    named: str | None,
    follow: bool,
    attempt: int | None,
    rank: int | None,
    tail: int | None,
    since: str | None,
    search: str | None,
    pattern: str | None,
    times: bool,
) -> None:
    """Show what STEP of RUN wrote. Colours reach a terminal alone; what else it would obey is spelled out."""
    wanted = step or named
    if wanted is None or (step and named):
        raise click.UsageError("name one step, as the argument or with --step")
    part: LogPart = {
        "attempt": attempt or 0,
        "follow": follow,
        "rank": rank,
        "since": _moment(since) if since else None,
        "search": search or "",
        "pattern": pattern or "",
        "tail": tail or 0,
    }

    async def action(client: Client) -> None:
        answers = client.records.log(await whole_id(client, run), wanted, **part)
        async with aclosing(answers) as found:
            async for answer in found:
                _show(session.out, answer, with_rank=answer.ranks > 1 and rank is None, with_time=times)

    session.ask(action)


def _show(out: Output, answer: ReadLogResponse, *, with_rank: bool, with_time: bool) -> None:
    from foldline.wire import messages

    if answer.missing:
        if out.json:
            out.line({"missing": answer.missing})
        out.say(f"[{answer.missing}]")
    for line in answer.lines:
        if out.json:
            out.line(messages.to_dict(line))
        else:
            is_ours = line.stream == "system"
            text = f"[{line.text}]" if is_ours else line.text
            before = _before(line, with_rank=with_rank and not is_ours, with_time=with_time)
            out.say_line(text, before=before)


def _before(line: LogLine, *, with_rank: bool, with_time: bool) -> str:
    from foldline.wire import messages

    time = f"{views.clock_time(messages.to_time(line.time))}  " if with_time else ""
    return f"{time}{line.rank} | " if with_rank else time


def _moment(text: str) -> datetime:
    """A moment, or so long ago. Raises ILLEGAL_TIME."""
    if text[:-1].isdecimal() and not text.isdecimal():
        return SystemClock().now() - timedelta(seconds=spans.seconds(text))
    return spans.moment(text)
