"""After a crash Postgres gives out again the transaction ids of which nothing had reached the disk."""

from __future__ import annotations

import asyncpg
from tests.builders import a_stream, an_event
from tests.servers import Running
from tests.waiting import until

from foldline.cli.stack.postgres import EmbeddedPostgres
from foldline.domain.errors import FoldlineError
from foldline.eventstore.port import NO_STREAM, START
from foldline.eventstore.postgres import PostgresEventStore
from foldline.pg import connect


async def burn_ids(dsn: str, count: int) -> None:
    """Use transaction ids in transactions that write nothing, so their commits are not waited for."""
    connection = await asyncpg.connect(dsn)
    for _ in range(count):
        await connection.fetchval("select pg_current_xact_id()")
    await connection.close()


async def test_a_follower_that_looked_past_lost_ids_still_gets_the_events_that_reuse_them(
    own_postgres: Running[EmbeddedPostgres],
) -> None:
    dsn = own_postgres.server.dsn()
    async with (
        connect.pool(dsn, role="foldline_registry", name="test") as pool,
        PostgresEventStore(pool, dsn) as store,
    ):
        first, second = a_stream(), a_stream()
        await store.append(first, NO_STREAM, [an_event()])
        await burn_ids(dsn, 500)
        page = await store.read_page(after=START, limit=10)

        own_postgres.kill()
        own_postgres.start()

        async def appended() -> None:
            try:
                await store.append(second, NO_STREAM, [an_event()])
            except FoldlineError as error:
                raise AssertionError(error.message) from error

        await until(appended, 30)
        behind = await store.read_all(after=page.next, limit=10)

    assert [event.stream for event in behind] == [second]
