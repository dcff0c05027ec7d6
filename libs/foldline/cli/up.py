"""`foldline up | down | status`: the whole platform on this machine, from packages."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any, TextIO

import click
import msgspec

from foldline.chassis.clock import SystemClock
from foldline.cli.stack import credentials, detached, state
from foldline.cli.stack.home import Home
from foldline.cli.stack.installation import Options, StartFailed
from foldline.cli.stack.installation import run as run_installation
from foldline.cli.stack.keeper import Condition
from foldline.cli.stack.lock import AlreadyRunning
from foldline.cli.stack.state import State
from foldline.sdk import context

NOT_RUNNING = 3


def _address(context: click.Context, option: click.Parameter, text: str) -> str:
    """Of a store that can be opened; a folder from here on, wherever the supervisor will run."""
    from foldline.artifacts.port import StoreUnavailableError
    from foldline.artifacts.store import open_store

    if "://" not in text:
        return str(Path(text).expanduser().absolute()) if text else ""
    try:
        open_store(text)
    except StoreUnavailableError as error:
        raise click.BadParameter(str(error), context, option) from error
    return text


def _absolute(_context: click.Context, _option: click.Parameter, text: str) -> str:
    return str(Path(text).expanduser().absolute()) if text else ""


at_home = click.option(
    "--home",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="FOLDLINE_HOME",
    default=context.default_home,
    show_default="$FOLDLINE_HOME or the user's data folder",
    help="The folder that holds everything of this installation.",
)
as_json = click.option("--json", "is_json", is_flag=True, help="Print JSON.")


@click.command()
@at_home
@click.option("--detach", is_flag=True, help="Return when everything is ready and leave it running.")
@click.option("--postgres", default="", metavar="URL", help="Use this Postgres instead of an embedded one.")
@click.option("--nats", default="", metavar="URL", help="Use this NATS instead of an embedded one.")
@click.option(
    "--artifacts",
    default="",
    envvar="FOLDLINE_ARTIFACTS",
    callback=_address,
    metavar="URL",
    help="Keep artifacts there (s3://bucket/prefix, or a folder) instead of in the home.",
)
@click.option(
    "--archive",
    default="",
    envvar="FOLDLINE_ARCHIVE",
    callback=_absolute,
    metavar="FOLDER",
    help="Keep the log of the embedded Postgres there as well, for back-ups.",
)
@click.option("--http-port", default=0, metavar="N", help="Port of the console and the HTTP API.")
@click.option("--grpc-port", default=0, metavar="N", help="Port of the gRPC API.")
@click.option("--postgres-port", default=0, metavar="N", help="Port of the embedded Postgres.")
@click.option("--nats-port", default=0, metavar="N", help="Port of the embedded NATS.")
@click.option("--slots", default=0, metavar="N", help="Steps that run at the same time; 0: one per CPU.")
@click.option(
    "--replicas",
    default="",
    metavar="NAME=N,...",
    help="Several schedulers, executors or recorders, e.g. scheduler=2,executor=2.",
)
@click.option(
    "--limits", type=click.File(), metavar="FILE", help="Limits and weights of the queues, as JSON."
)
@click.option("--flavors", type=click.File(), metavar="FILE", help="Named sizes of steps, as JSON.")
@as_json
def up(
    folder: Path,
    *,
    limits: TextIO | None,
    flavors: TextIO | None,
    detach: bool,
    is_json: bool,
    **wishes: Any,
) -> None:
    """Start the platform on this machine and stay until Ctrl-C.

    Prepares Postgres and NATS from packages, applies migrations, starts the five services and restarts
    whatever ends. Listens on the loopback only. Exit code 1: it did not start, or it already runs.
    """
    options = Options(
        home=str(folder.absolute()),
        limits=limits.read() if limits else "",
        flavors=flavors.read() if flavors else "",
        **wishes,
    )

    def ready(now: State) -> None:
        _print_where(now, is_json=is_json)
        if not detach and not is_json:
            click.echo("\nCtrl-C stops everything.")
        sys.stdout.flush()

    try:
        if detach:
            ready(detached.start(options))
        else:
            asyncio.run(run_installation(options, ready=ready, note=_note))
    except AlreadyRunning as error:
        click.echo(f"{folder} is {error}", err=True)
        now = state.running(Home(folder))
        if now is not None and now.phase == "ready":
            _print_where(now, is_json=is_json)
        # Asked to leave it running, we find it running: that is success.
        sys.exit(0 if detach else 1)
    except StartFailed as error:
        click.echo(f"foldline did not start: {error}", err=True)
        sys.exit(1)


@click.command()
@at_home
@as_json
def down(folder: Path, *, is_json: bool) -> None:
    """Stop the platform: the services first, then NATS and Postgres."""
    try:
        was_running = detached.stop(Home(folder))
    except PermissionError:
        click.echo(f"what runs in {folder} belongs to another user", err=True)
        sys.exit(1)
    if is_json:
        click.echo(msgspec.json.encode({"home": str(folder), "was_running": was_running}).decode())
    else:
        click.echo("stopped" if was_running else f"nothing runs in {folder}")


@click.command()
@at_home
@as_json
def status(folder: Path, *, is_json: bool) -> None:
    """Show how each process fares. Exit code 3: it does not run."""
    now = state.running(Home(folder))
    if now is None:
        click.echo('{"phase":"stopped","processes":[]}' if is_json else f"nothing runs in {folder}")
        sys.exit(NOT_RUNNING)
    if is_json:
        click.echo(msgspec.json.encode(now).decode())
        return
    click.echo(f"{now.phase} (supervisor {now.supervisor.pid}) in {now.home}\n")
    rows = [("process", "state", "pid", "restarts", "up for", "log"), *map(_row, now.processes)]
    _print_columns(rows)


def _row(one: Condition) -> tuple[str, ...]:
    seconds = int((SystemClock().now() - one.since).total_seconds()) if one.since else 0
    return (one.name, one.phase, str(one.pid or "-"), str(one.restarts), _duration(seconds), one.log)


def _duration(seconds: int) -> str:
    minutes, seconds = divmod(max(seconds, 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def _print_where(now: State, *, is_json: bool) -> None:
    if is_json:
        click.echo(msgspec.json.encode(now).decode())
        return
    where = Home(Path(now.home))
    client = credentials.read_client(where)
    token = client.token if client else ""
    _print_columns(
        [
            ("console", f"{now.console}/#token={token}"),
            ("HTTP API", now.console),
            ("gRPC API", now.server),
            ("credentials", str(where.client)),
            *((one.name, f"pid {one.pid}, log {one.log}") for one in now.processes),
        ]
    )


def _print_columns(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _note(text: str) -> None:
    click.echo(text, err=True)
