"""The database itself keeps the ledger from being changed, whoever tries."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
from tests.builders import a_stream, events

from foldline.eventstore.port import NO_STREAM
from foldline.eventstore.postgres import PostgresEventStore
from foldline.pg import connect

ROLES = ("foldline_registry", "foldline_scheduler", "foldline_recorder")
CHANGES = [
    change.format(table)
    for table in ("ledger.events", "ledger.events_default")
    for change in (
        "update {} set payload = 'forged'",
        "update {} set payload = 'forged' where false",
        "delete from {}",
        "truncate {}",
    )
]


@pytest.fixture
async def login(database: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A superuser, with some events in the ledger."""
    async with (
        connect.pool(database, name="test") as pool,
        PostgresEventStore(pool, database) as store,
    ):
        await store.append(a_stream(), NO_STREAM, events(3))
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.mark.parametrize("role", ROLES)
async def test_a_service_cannot_change_an_event(login: asyncpg.Connection[asyncpg.Record], role: str) -> None:
    await login.execute(f"set role {role}")

    for change in CHANGES:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute(change)


@pytest.mark.parametrize("mode", ["origin", "replica"])
async def test_not_even_a_superuser_changes_an_event_by_a_statement(
    login: asyncpg.Connection[asyncpg.Record], mode: str
) -> None:
    await login.execute(f"set session_replication_role = {mode}")

    for change in CHANGES:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
            await login.execute(change)

    assert await login.fetchval("select count(*) from ledger.events where payload <> 'forged'") == 3


@pytest.mark.parametrize("role", ROLES)
async def test_a_service_cannot_choose_its_place_in_the_order(
    login: asyncpg.Connection[asyncpg.Record], role: str
) -> None:
    await login.execute(f"set role {role}")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await login.execute(
            """
            insert into ledger.events (transaction, stream, version, id, type, time, payload, meta, hash)
            values ('1', 'run-1', 1, gen_random_uuid(), 'T', now(), '{}', '{}', sha256('x'))
            """
        )


@pytest.mark.parametrize("role", ROLES)
async def test_a_service_appends_and_reads(database: str, role: str) -> None:
    stream = a_stream()

    async with (
        connect.pool(database, role=role, name="test") as pool,
        PostgresEventStore(pool, database) as store,
    ):
        await store.append(stream, NO_STREAM, events(2))

        assert len(await store.read_stream(stream)) == 2


async def test_a_service_has_no_rights_in_the_schema_of_another(
    login: asyncpg.Connection[asyncpg.Record],
) -> None:
    tables = await login.fetch(
        """
        select format('%I.%I', schemaname, tablename) as name, 'foldline_' || schemaname as owner
        from pg_tables where schemaname in ('registry', 'scheduler', 'recorder')
        """
    )
    for table in tables:
        for role in ROLES:
            may = await login.fetchval("select has_table_privilege($1, $2, 'select')", role, table["name"])

            assert may == (role == table["owner"]), (role, table["name"])
