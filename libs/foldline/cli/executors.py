"""`executors` and `executor`: the processes that run steps, seen and sent into retirement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from foldline.cli import options, views

if TYPE_CHECKING:
    from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb


@click.command()
@options.remote
def executors(session: options.Session) -> None:
    """List the executors of the installation: where they are, what they have, what they hold."""
    from foldline.wire import messages

    found = session.ask(lambda client: client.executors.list())
    if session.out.json:
        session.out.document([messages.to_dict(one) for one in found])
        return
    session.out.table(
        ("executor", "region", "pool", "state", "held", "has", "labels", "version", "session"),
        [_row(one) for one in found],
    )
    for one in found:
        if one.reason:
            session.out.say(f"{one.name} is {one.state}: {one.reason}")


@click.group()
def executor() -> None:
    """Drain an executor, or let it take work again."""


@executor.command()
@click.argument("name", metavar="EXECUTOR")
@options.remote
def drain(session: options.Session, name: str) -> None:
    """Let EXECUTOR (a name or a session) take nothing new; what runs goes on. Needs admin everywhere."""
    _ask(
        session,
        name,
        undo=False,
        done="{} is asked to drain; `foldline executors` shows when it holds nothing",
    )


@executor.command()
@click.argument("name", metavar="EXECUTOR")
@options.remote
def resume(session: options.Session, name: str) -> None:
    """Let EXECUTOR, which was drained, take work again. Needs admin everywhere."""
    _ask(session, name, undo=True, done="{} is asked to take work again")


def _ask(session: options.Session, name: str, *, undo: bool, done: str) -> None:
    asked = session.ask(lambda client: client.executors.drain(name, undo=undo))
    if session.out.json:
        session.out.document({"sessions": asked})
    else:
        session.out.say(done.format(name))


def _row(one: pb.Executor) -> tuple[str, ...]:
    parts = [f"{one.slots} slots"]
    if one.cpu:
        parts.append(f"{one.cpu:g} cpu")
    if one.memory_bytes:
        parts.append(views.amount(one.memory_bytes))
    if one.gpu:
        parts.append(f"{one.gpu} gpu")
    labels = ", ".join(f"{name}={value}" for name, value in sorted(one.labels.items()))
    has = ", ".join(parts)
    return (
        one.name,
        one.region,
        one.pool,
        one.state,
        str(one.held),
        has,
        labels,
        one.version,
        one.session,
    )
