"""The servers from the wheels: private, on the loopback, and prepared in one piece."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from tests.servers import Running

from foldline.cli.stack.nats import EmbeddedNats
from foldline.cli.stack.ports import free_port
from foldline.cli.stack.postgres import EmbeddedPostgres, PostgresError, unprivileged


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A folder that only its owner may enter, as a home folder is."""
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    return folder


async def test_postgres_runs_below_a_private_folder_and_keeps_its_data(private: Path) -> None:
    server = EmbeddedPostgres(private / "pg", port=free_port(), durable=False)
    running = Running(server, private / "log")
    try:
        running.start()
        connection = await asyncpg.connect(server.dsn())
        await connection.execute("create table kept (id integer)")
        assert await connection.fetchval("show listen_addresses") == "127.0.0.1"
        assert await connection.fetchval("show unix_socket_directories") == ""
        assert await connection.fetchval("show server_encoding") == "UTF8"
        await connection.close()

        running.stop()
        running.start()

        connection = await asyncpg.connect(server.dsn())
        assert await connection.fetchval("select count(*) from kept") == 0
        await connection.close()
    finally:
        running.stop()
    assert mode(private / "pg" / "password") == 0o600
    assert mode(private / "pg" / "data") == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts Postgres as somebody else")
def test_programs_below_a_private_folder_may_be_run_and_find_themselves(private: Path) -> None:
    """As in a clone in /root: Postgres asks access(2), which looks at the real user, before it starts."""
    program = private / "program"
    program.write_text("")
    program.chmod(0o755)
    question = f"import os, sys; sys.exit(not os.access({str(program)!r}, os.R_OK | os.X_OK))"

    assert subprocess.run([*unprivileged(), sys.executable, "-c", question], check=False).returncode == 0


async def test_postgres_asks_for_the_password(own_postgres: Running[EmbeddedPostgres]) -> None:
    dsn = own_postgres.server.dsn()
    password = dsn.split(":")[2].split("@")[0]

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(dsn.replace(password, "guessed"))


def test_a_preparation_that_was_cut_off_is_done_again(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "pg", port=free_port(), durable=False)
    half = tmp_path / "pg" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18")

    server.prepare()

    assert not half.exists()
    assert (tmp_path / "pg" / "data" / "global").is_dir()


def test_data_of_a_release_that_is_not_there_is_named(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "pg", port=free_port())
    (tmp_path / "pg" / "data").mkdir(parents=True)
    (tmp_path / "pg" / "data" / "PG_VERSION").write_text("9\n")

    with pytest.raises(PostgresError, match="written by Postgres 9"):
        server.command()


def test_a_lost_password_is_named(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "pg", port=free_port())

    with pytest.raises(PostgresError, match="password"):
        server.dsn()


def test_the_secrets_of_nats_stand_in_private_files(own_nats: Running[EmbeddedNats], tmp_path: Path) -> None:
    token = (tmp_path / "nats" / "token").read_text()

    assert mode(tmp_path / "nats" / "token") == 0o600
    assert mode(tmp_path / "nats" / "nats.conf") == 0o600
    assert token in (tmp_path / "nats" / "nats.conf").read_text()
    assert token not in " ".join(own_nats.server.command())


def test_preparing_again_keeps_the_secrets(tmp_path: Path) -> None:
    postgres = EmbeddedPostgres(tmp_path / "pg", port=free_port(), durable=False)
    nats = EmbeddedNats(tmp_path / "nats", port=free_port())
    postgres.prepare()
    nats.prepare()
    before = (postgres.dsn(), nats.url)

    postgres.prepare()
    nats.prepare()

    assert (postgres.dsn(), nats.url) == before
