"""Migrations are applied once, in order, and a changed one is noticed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from tests.servers import Running, owners

from foldline.chassis.clock import new_id
from foldline.cli.stack.postgres import EmbeddedPostgres
from foldline.pg import connect, migrate

LEDGER = migrate.owner_of("ledger")


@pytest.fixture
async def empty(postgres_server: Running[EmbeddedPostgres]) -> AsyncIterator[list[str]]:
    """DSNs of two empty databases of one cluster."""
    names = [f"empty_{new_id().replace('-', '')}" for _ in range(2)]
    admin = await asyncpg.connect(postgres_server.server.dsn("postgres"))
    for name in names:
        await admin.execute(f"create database {name}")
    yield [postgres_server.server.dsn(name) for name in names]
    for name in names:
        await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of migrations of a package that a test may change."""
    folder = tmp_path / "owner_of_things" / "migrations"
    folder.mkdir(parents=True)
    (tmp_path / "owner_of_things" / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "owner_of_things", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    (folder / "0001_things.sql").write_text("create table things.thing (id integer);")
    return folder


THINGS = ("things", "owner_of_things")


async def test_everything_is_applied_once(empty: list[str]) -> None:
    first = await migrate.apply(empty[0], owners())

    assert "ledger/0001_events.sql" in first
    assert await migrate.apply(empty[0], owners()) == []


async def test_databases_of_one_cluster_can_be_migrated_at_once(empty: list[str]) -> None:
    await asyncio.gather(*(migrate.apply(dsn, owners()) for dsn in empty for _ in range(2)))

    for dsn in empty:
        assert await migrate.apply(dsn, owners()) == []


async def test_a_service_refuses_a_database_without_its_schema(empty: list[str]) -> None:
    async with connect.pool(empty[0], name="test") as pool:
        with pytest.raises(migrate.MigrationError, match="foldline migrate"):
            await migrate.require(pool, LEDGER)


async def test_every_service_accepts_what_was_migrated(database: str) -> None:
    for schema, package in owners():
        role = "foldline_scheduler" if schema == "ledger" else f"foldline_{schema}"
        async with connect.pool(database, role=role, name="test") as pool:
            await migrate.require(pool, (schema, package))
            await migrate.require(pool, schema)


async def test_new_files_are_applied_later(empty: list[str], package: Path) -> None:
    assert await migrate.apply(empty[0], [THINGS]) == ["things/0001_things.sql"]
    (package / "0002_names.sql").write_text("alter table things.thing add name text;")

    async with connect.pool(empty[0], name="test") as pool:
        with pytest.raises(migrate.MigrationError, match="0002_names"):
            await migrate.require(pool, THINGS)
        assert await migrate.apply(empty[0], [THINGS]) == ["things/0002_names.sql"]
        await migrate.require(pool, THINGS)


async def test_code_before_a_migration_runs_on_after_it(empty: list[str], package: Path) -> None:
    (package / "0002_names.sql").write_text("alter table things.thing add name text;")
    await migrate.apply(empty[0], [THINGS])
    (package / "0002_names.sql").unlink()

    async with connect.pool(empty[0], name="test") as pool:
        await migrate.require(pool, THINGS)


async def test_a_file_changed_after_it_was_applied_is_an_error(empty: list[str], package: Path) -> None:
    await migrate.apply(empty[0], [THINGS])
    (package / "0001_things.sql").write_text("create table things.thing (id bigint);")

    with pytest.raises(migrate.MigrationError, match="was changed"):
        await migrate.apply(empty[0], [THINGS])
    async with connect.pool(empty[0], name="test") as pool:
        with pytest.raises(migrate.MigrationError, match="was changed"):
            await migrate.require(pool, THINGS)


async def test_a_file_that_fails_leaves_nothing_of_itself(empty: list[str], package: Path) -> None:
    (package / "0002_broken.sql").write_text("create table things.half (id integer); select nonsense;")

    with pytest.raises(migrate.MigrationError, match=r"0002_broken\.sql failed"):
        await migrate.apply(empty[0], [THINGS])

    async with connect.pool(empty[0], name="test") as pool:
        assert await pool.fetchval("select to_regclass('things.thing')") == "things.thing"
        assert await pool.fetchval("select to_regclass('things.half')") is None


@pytest.mark.parametrize("name", ["0003_gap.sql", "2_short.sql", "0002-dash.sql"])
async def test_a_badly_numbered_file_is_an_error(empty: list[str], package: Path, name: str) -> None:
    (package / name).write_text("select 1;")

    with pytest.raises(migrate.MigrationError):
        await migrate.apply(empty[0], [THINGS])
