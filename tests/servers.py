"""Real servers for tests, from the same wheels and the same code as `foldline up`.

`database` and `nats_server` are what most tests want. `own_postgres` and `own_nats` are servers that a test
has for itself, to kill and to start again.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

import asyncpg
import pytest

from foldline.chassis.clock import new_id
from foldline.cli.stack.nats import EmbeddedNats
from foldline.cli.stack.ports import free_port
from foldline.cli.stack.postgres import EmbeddedPostgres
from foldline.pg import migrate

SCHEMAS = ("ledger", "registry", "scheduler", "recorder")

S = TypeVar("S", EmbeddedPostgres, EmbeddedNats)
T = TypeVar("T")


def owners() -> list[migrate.Owner]:
    """Every owner of a schema in an installation."""
    return [migrate.owner_of(schema) for schema in SCHEMAS]


class Running(Generic[S]):
    """A server as a child process, which tests may kill and start again on the same port and data."""

    def __init__(self, server: S, log: Path) -> None:
        self.server: S = server
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, timeout: float = 30.0) -> None:
        """Start and wait until it answers. A server killed just now may need some tries to come back."""
        deadline = time.monotonic() + timeout
        self.server.prepare()
        self._spawn()
        while not run(self.server.is_ready()):
            assert time.monotonic() < deadline, f"the server does not answer:\n{self._log.read_text()}"
            if self._process is None or self._process.poll() is not None:
                self._spawn()
            time.sleep(0.02)

    def pause(self) -> None:
        """SIGSTOP: it is there and says nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """As a crash does it: no warning, no clean-up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(self.server.stop_signal)
            self._process.wait(timeout=30)
            self._process = None

    def _spawn(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.server.command(), env=dict(self.server.environment), stdout=log, stderr=log
            )


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine from synchronous code, whether or not the thread has a loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running[EmbeddedPostgres]]:
    """One Postgres for all tests, with a migrated database `template` to clone."""
    folder = tmp_path_factory.mktemp("postgres")
    server = EmbeddedPostgres(folder / "server", port=free_port(), database="template", durable=False)
    running = Running(server, folder / "log")
    running.start()
    try:
        run(migrate.apply(server.dsn(), owners()))
        yield running
    finally:
        running.stop()


@pytest.fixture
async def database(postgres_server: Running[EmbeddedPostgres]) -> AsyncIterator[str]:
    """The DSN of a migrated database of the test's own."""
    name = f"test_{new_id().replace('-', '')}"
    admin = await asyncpg.connect(postgres_server.server.dsn("postgres"))
    try:
        await admin.execute(f"create database {name} template template")
        yield postgres_server.server.dsn(name)
        await admin.execute(f"drop database {name} with (force)")
    finally:
        await admin.close()


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[Running[EmbeddedPostgres]]:
    """A migrated Postgres of the test's own; its commits are durable."""
    server = EmbeddedPostgres(tmp_path / "postgres", port=free_port())
    running = Running(server, tmp_path / "postgres.log")
    running.start()
    try:
        run(migrate.apply(server.dsn(), owners()))
        yield running
    finally:
        running.stop()


@pytest.fixture
def own_nats(tmp_path: Path) -> Iterator[Running[EmbeddedNats]]:
    """A NATS of the test's own, as a process that may be killed."""
    running = Running(EmbeddedNats(tmp_path / "nats", port=free_port()), tmp_path / "nats.log")
    running.start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def nats_server(own_nats: Running[EmbeddedNats]) -> str:
    """The URL of a NATS of the test's own."""
    nats: EmbeddedNats = own_nats.server
    return nats.url
