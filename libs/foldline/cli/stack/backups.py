"""Back-ups of the embedded Postgres: a copy of its data now and then, and its log from then on.

One folder holds all of it:

    wal/             the log of the server, in pieces of 16 MiB, copied by the server itself as they are full
    base/TIME/       copies of the data, each whole together with the log from its time on
    token.key, postgres.password    of the installation; without them nobody gets in

Restoring puts the newest copy back and has Postgres play the log to its end. What had happened after the
last piece is not there; the rest of the platform goes on from what is (docs/backup.md).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from datetime import datetime
from pathlib import Path

import asyncpg

from foldline.cli.stack import lock
from foldline.cli.stack.home import Home, write_private
from foldline.cli.stack.logfile import tail
from foldline.cli.stack.ports import free_port
from foldline.cli.stack.postgres import USER, EmbeddedPostgres, give_away

COPY_SECONDS = 24 * 3600
ARCHIVE_SECONDS = 60.0
PAUSE_SECONDS = 0.1
STOP_SECONDS = 60.0
LAST_WORDS = 5

_ARCHIVED = "select last_archived_wal from pg_stat_archiver"
_SETTINGS = "postgresql.auto.conf"


class BackupError(Exception):
    """It could not be done; the message says why, and nothing was left half done under its final name."""


def prepare(folder: Path) -> Path:
    """The folder of the log in a folder of back-ups, made where it is missing."""
    folder = folder.absolute()
    if set(str(folder)) & set("'\"\\%$`\n"):
        raise BackupError(f"the name of {folder} has characters that a shell does not take for themselves")
    wal = folder / "wal"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for inner in (wal, folder / "base"):
            inner.mkdir(mode=0o700, exist_ok=True)
            give_away(inner)
    except OSError as error:
        raise BackupError(f"{folder} cannot be used for back-ups: {error}") from error
    return wal


def copies(folder: Path) -> list[Path]:
    """Whole copies of the data in a folder of back-ups, oldest first."""
    return sorted(one for one in (folder / "base").glob("*") if one.suffix != ".part")


def back_up(home: Home, folder: Path, *, port: int, now: datetime) -> Path:
    """Copy the data of the server that runs at `port`; the copy's folder."""
    folder = folder.absolute()
    prepare(folder)
    server = EmbeddedPostgres(home.postgres, port=port)
    target = folder / "base" / now.strftime("%Y%m%dT%H%M%S.%fZ")
    part = target.with_suffix(".part")
    program = [*server.tool("pg_basebackup"), "--pgdata", str(part), "--checkpoint=fast"]
    password = server.password_file.read_text().strip()
    done = subprocess.run(
        [*program, "--host=127.0.0.1", f"--port={port}", f"--username={USER}", "--no-password"],
        check=False,
        capture_output=True,
        env=dict(server.environment) | {"PGPASSWORD": password},
        text=True,
        timeout=COPY_SECONDS,
    )
    if done.returncode != 0:
        shutil.rmtree(part, ignore_errors=True)
        raise BackupError(f"the data could not be copied: {done.stderr.strip()}")
    write_private(folder / "token.key", home.key.read_text())
    write_private(folder / "postgres.password", password)
    part.rename(target)
    return target


async def archive_now(dsn: str) -> str:
    """Have the server begin a new piece of its log, and wait until the one before is archived; its name."""
    connection = await asyncpg.connect(dsn)
    try:
        if await connection.fetchval("show archive_mode") != "on":
            raise BackupError("the log is not archived: start the installation with --archive FOLDER")
        await connection.execute("select pg_create_restore_point('backup')")  # or there might be no new piece
        piece: str = await connection.fetchval("select pg_walfile_name(pg_switch_wal())")
        async with asyncio.timeout(ARCHIVE_SECONDS):
            # Another process archives: there is no event to wait for.
            while (await connection.fetchval(_ARCHIVED) or "") < piece:  # noqa: ASYNC110
                await asyncio.sleep(PAUSE_SECONDS)
    except TimeoutError as error:
        message = f"the log is not archived: {piece} was not after {ARCHIVE_SECONDS:g} s (logs/postgres.log)"
        raise BackupError(message) from error
    finally:
        await connection.close()
    return piece


def restore(home: Home, folder: Path) -> Path:
    """Put the newest copy back and play the log to its end; which copy it was. The home must have no data."""
    folder = folder.absolute()
    server = EmbeddedPostgres(home.postgres, port=free_port())
    with lock.held(home.lock):
        found = copies(folder)
        if not found:
            raise BackupError(f"{folder} holds no copy of a database")
        if server.data.exists():
            raise BackupError(f"{server.data} exists: move it away first, it may be the better one")
        home.postgres.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file, kept in ((home.key, "token.key"), (server.password_file, "postgres.password")):
            if not file.exists():
                write_private(file, (folder / kept).read_text())
        fresh = home.postgres / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(found[-1], fresh)
        _own(fresh)
        settings = (fresh / _SETTINGS).read_text()
        _write(fresh / _SETTINGS, settings + f'restore_command = \'cp "{folder}/wal/%f" "%p"\'\n')
        _write(fresh / "recovery.signal", "")
        _play(server, fresh)
        _write(fresh / _SETTINGS, settings)
        fresh.rename(server.data)
    return found[-1]


def _play(server: EmbeddedPostgres, data: Path) -> None:
    """Run the server until it has played the log and takes writes. It may take as long as it needs."""
    log = data.parent / "restore.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            server.command(data),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(server.environment),
            cwd="/",
        )
    try:
        while not asyncio.run(_takes_writes(server.dsn())):
            if process.poll() is not None:
                words = "\n".join(tail(log, LAST_WORDS))
                raise BackupError(f"the log could not be played; {log} ends with:\n{words}")
            time.sleep(PAUSE_SECONDS)
        process.send_signal(server.stop_signal)
        process.wait(STOP_SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


async def _takes_writes(dsn: str) -> bool:
    try:
        connection = await asyncpg.connect(dsn, timeout=2)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    try:
        return not await connection.fetchval("select pg_is_in_recovery()")
    finally:
        await connection.close()


def _own(data: Path) -> None:
    data.chmod(0o700)
    for folder, _, files in os.walk(data):
        give_away(Path(folder))
        for name in files:
            give_away(Path(folder) / name)


def _write(file: Path, text: str) -> None:
    file.write_text(text)
    give_away(file)
