"""`foldline backup | restore`: the database of an installation that `foldline up` made."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from foldline.chassis.clock import SystemClock
from foldline.cli.options import output
from foldline.cli.output import Output
from foldline.cli.stack import backups, state
from foldline.cli.stack.backups import BackupError
from foldline.cli.stack.home import Home
from foldline.cli.stack.lock import AlreadyRunning
from foldline.cli.stack.postgres import EmbeddedPostgres, PostgresError
from foldline.cli.up import at_home
from foldline.domain.errors import FoldlineError, Kind

FOLDER = click.argument("backups_in", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path))


@click.command()
@FOLDER
@at_home
@click.option("--log-only", is_flag=True, help="No copy; only have the log of this moment archived.")
@output
def backup(out: Output, backups_in: Path, folder: Path, *, log_only: bool) -> None:
    """Copy the database of a running installation into FOLDER, where `up --archive FOLDER` keeps its log.

    The artifacts are not in it: copy them afterwards, so that whatever an event names is there.
    """
    home = Home(folder.absolute())
    if state.running(home) is None:
        raise _refused("NOT_RUNNING", f"nothing runs in {folder}; `foldline up` starts it")
    port = _port(home)
    done = {}
    try:
        if not log_only:
            done["copy"] = str(backups.back_up(home, backups_in, port=port, now=SystemClock().now()))
        server = EmbeddedPostgres(home.postgres, port=port)
        done["archived"] = asyncio.run(backups.archive_now(server.dsn()))
    except (BackupError, PostgresError) as error:
        raise _refused("NOT_BACKED_UP", str(error)) from error
    _say(out, done)


@click.command()
@FOLDER
@at_home
@output
def restore(out: Output, backups_in: Path, folder: Path) -> None:
    """Put the newest copy in FOLDER back and play the log to its end; then `foldline up` goes on from there.

    The installation must not run, and its Postgres must have no data.
    """
    home = Home(folder.absolute())
    home.create()
    try:
        _say(out, {"copy": str(backups.restore(home, backups_in))})
    except AlreadyRunning as error:
        raise _refused("RUNNING", f"{folder} is {error}; `foldline down` stops it") from error
    except (BackupError, PostgresError, OSError) as error:
        raise _refused("NOT_RESTORED", str(error)) from error


def _port(home: Home) -> int:
    import msgspec

    return msgspec.json.decode(home.ports.read_bytes(), type=dict[str, int])["postgres"]


def _say(out: Output, done: dict[str, str]) -> None:
    if out.json:
        out.document(done)
    else:
        for name, value in done.items():
            out.say(f"{name}: {value}")


def _refused(reason: str, message: str) -> FoldlineError:
    return FoldlineError(Kind.PRECONDITION, reason, message)
