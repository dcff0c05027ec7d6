"""`metrics`: the numbers that steps recorded on their way."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from foldline.cli import options
from foldline.cli.ids import whole_id

if TYPE_CHECKING:
    from foldline.api.recorder.v1.recorder_service_pb2 import MetricSeries
    from foldline.cli.output import Output
    from foldline.sdk.client import Client

_CURVE = 24
_BLOCKS = "▁▂▃▄▅▆▇█"
_INCOMPLETE = "of some series points are missing: lost with their executor, or left out for a limit"


@click.command()
@click.argument("run")
@click.argument("name", default="")
@click.option("--step", default="", help="Only of this step.")
@click.option(
    "--attempt", type=click.IntRange(min=1), help="Which attempt; without it the newest of each step."
)
@click.option("--rank", type=click.IntRange(min=0), help="Only of this process of a step of several.")
@click.option(
    "--buckets",
    type=click.IntRange(min=1, max=10_000),
    default=None,
    help="Into how many parts a series is thinned out; 20 for a named one.",
)
@options.remote
def metrics(
    session: options.Session,
    run: str,
    name: str,
    step: str,
    attempt: int | None,
    rank: int | None,
    buckets: int | None,
) -> None:
    """Show the series of RUN: metrics and progress. With NAME the course of that metric."""
    size = buckets or (20 if name else 0 if session.out.json else _CURVE)

    async def action(client: Client) -> list[MetricSeries]:
        whole = await whole_id(client, run)
        answers = client.records.metrics(
            whole, step=step, attempt=attempt or 0, name=name, rank=rank, buckets=size
        )
        async with aclosing(answers) as found:
            return [one async for one in found]

    found = session.ask(action)
    if session.out.json:
        from foldline.wire import messages

        session.out.document([messages.to_dict(one) for one in found])
        return
    if not found:
        session.out.say("no metrics" if not name else f"no metric {name}")
        return
    if name:
        _show_course(session.out, found)
    else:
        _show_series(session.out, found)
    if any(one.incomplete for one in found):
        session.out.say(_INCOMPLETE)


def _show_series(out: Output, found: list[MetricSeries]) -> None:
    columns = ("step", "attempt", "metric", "points", "last", "min", "max", "at", "course")
    out.table(
        columns,
        [
            (
                one.step,
                str(one.attempt),
                _name(one, found),
                f"{one.whole.points}",
                f"{one.whole.last:g}",
                f"{one.whole.min:g}",
                f"{one.whole.max:g}",
                str(one.whole.last_step),
                curve([bucket.last for bucket in one.buckets]),
            )
            for one in found
        ],
    )


def _show_course(out: Output, found: list[MetricSeries]) -> None:
    columns = ("step", "attempt", "metric", "at", "points", "min", "max", "last")
    out.table(
        columns,
        [
            (
                one.step,
                str(one.attempt),
                _name(one, found),
                _span(bucket.first_step, bucket.last_step),
                str(bucket.points),
                f"{bucket.min:g}",
                f"{bucket.max:g}",
                f"{bucket.last:g}",
            )
            for one in found
            for bucket in one.buckets
        ],
    )


def _name(one: MetricSeries, found: list[MetricSeries]) -> str:
    """With its rank where there are several."""
    name = one.name or f"({one.kind})"
    return f"{name} [{one.rank}]" if any(other.rank for other in found) else name


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}–{last}"


def curve(values: list[float]) -> str:
    """A picture of the values, a character each."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    # Halved first: the distance of two numbers may be more than there is a number for.
    height = high / 2 - low / 2
    return "".join(
        _BLOCKS[min(len(_BLOCKS) - 1, int((value / 2 - low / 2) / height * len(_BLOCKS))) if height else 0]
        for value in values
    )
