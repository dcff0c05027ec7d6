"""The global order: writers commit out of order, and no reader misses an event or sees one twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import asyncpg
import pytest
from tests.builders import a_stream, an_event
from tests.conformance.event_store import Follower
from tests.servers import Running
from tests.waiting import until

from foldline.cli.stack.postgres import EmbeddedPostgres
from foldline.domain.errors import FoldlineError
from foldline.eventstore import postgres
from foldline.eventstore.chain import link_all
from foldline.eventstore.port import NO_STREAM, START, NewEvent
from foldline.eventstore.postgres import PostgresEventStore
from foldline.pg import connect

_INSERT = """
insert into ledger.events (stream, version, id, type, time, payload, meta, hash)
values ($1, 1, $2, $3, $4, $5, $6, $7)
"""


@pytest.fixture
async def store(database: str) -> AsyncIterator[PostgresEventStore]:
    async with (
        connect.pool(database, role="foldline_recorder", name="test") as pool,
        PostgresEventStore(pool, database) as opened,
    ):
        yield opened


@pytest.fixture
async def slow_writer(database: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A writer that holds its transactions open, as a stalled process does."""
    connection = await asyncpg.connect(database, server_settings={"role": "foldline_scheduler"})
    yield connection
    await connection.close()


async def insert(writer: asyncpg.Connection[asyncpg.Record], stream: str, event: NewEvent) -> None:
    (head,) = link_all(stream, NO_STREAM, [event])
    await writer.execute(
        _INSERT, stream, event.id, event.type, event.time, event.payload, event.meta, head.hash
    )


async def test_a_follower_waits_for_a_writer_that_commits_late(
    store: PostgresEventStore, slow_writer: asyncpg.Connection[asyncpg.Record]
) -> None:
    late, early = an_event(), an_event()

    async with Follower(store) as follower:
        async with slow_writer.transaction():
            await insert(slow_writer, a_stream(), late)
            await store.append(a_stream(), NO_STREAM, [early])
            # The second event is committed and has the higher place; showing it now would hide the first.
            page = await store.read_all(after=START, limit=10)
            assert page == []
            assert follower.seen == []
        await until(lambda: len(follower.seen) == 2)

    assert follower.ids() == [late.id, early.id]


async def test_an_event_before_the_late_writer_is_shown_at_once(
    store: PostgresEventStore, slow_writer: asyncpg.Connection[asyncpg.Record]
) -> None:
    before, late = an_event(), an_event()

    async with Follower(store) as follower:
        await store.append(a_stream(), NO_STREAM, [before])
        async with slow_writer.transaction():
            await insert(slow_writer, a_stream(), late)
            await until(lambda: follower.ids() == [before.id])
        await until(lambda: follower.ids() == [before.id, late.id])


async def test_a_late_writer_that_rolls_back_holds_nobody_for_ever(
    store: PostgresEventStore, slow_writer: asyncpg.Connection[asyncpg.Record]
) -> None:
    event = an_event()

    async with Follower(store) as follower:
        transaction = slow_writer.transaction()
        await transaction.start()
        await insert(slow_writer, a_stream(), an_event())
        await store.append(a_stream(), NO_STREAM, [event])
        await transaction.rollback()
        await until(lambda: follower.ids() == [event.id])


async def test_a_writer_in_another_database_holds_nobody_for_ever(
    store: PostgresEventStore, postgres_server: Running[EmbeddedPostgres]
) -> None:
    """Transaction ids belong to the cluster, so a neighbour's writer delays; it must not block."""
    event = an_event()
    neighbour = await asyncpg.connect(postgres_server.server.dsn("postgres"))
    try:
        async with Follower(store) as follower:
            async with neighbour.transaction():
                await neighbour.fetchval("select pg_current_xact_id()")
                await store.append(a_stream(), NO_STREAM, [event])
            await until(lambda: follower.ids() == [event.id])
    finally:
        await neighbour.close()


async def test_of_many_unruly_writers_followers_miss_nothing_and_see_nothing_twice(
    store: PostgresEventStore, database: str
) -> None:
    """Transactions of several events, held open for various times, some rolled back, in any order."""
    dice = random.Random(20260301)
    committed: set[str] = set()

    async def write(seed: int) -> None:
        mine = random.Random(seed)
        connection = await asyncpg.connect(database, server_settings={"role": "foldline_scheduler"})
        try:
            for _ in range(15):
                transaction = connection.transaction()
                await transaction.start()
                events = [an_event() for _ in range(mine.randint(1, 3))]
                for event in events:
                    await insert(connection, a_stream(), event)
                    await connection.execute("select pg_sleep($1)", mine.random() * 0.02)
                if mine.random() < 0.2:
                    await transaction.rollback()
                else:
                    await transaction.commit()
                    committed.update(event.id for event in events)
        finally:
            await connection.close()

    async def append(count: int) -> None:
        stream, head = a_stream(), NO_STREAM
        for _ in range(count):
            event = an_event()
            head = await store.append(stream, head, [event])
            committed.add(event.id)

    async with Follower(store, limit=3) as small, Follower(store) as large:
        await asyncio.gather(*(write(dice.randrange(10**6)) for _ in range(8)), append(100), append(100))
        await until(lambda: len(small.seen) >= len(committed) and len(large.seen) >= len(committed))

    assert small.ids() == large.ids()
    assert len(small.ids()) == len(set(small.ids()))
    assert set(small.ids()) == committed
    positions = [event.position for event in small.seen]
    assert positions == sorted(positions)


@pytest.mark.parametrize("types", [None, ["Wanted"]])
async def test_a_commit_of_another_process_wakes_the_follower(
    store: PostgresEventStore, database: str, monkeypatch: pytest.MonkeyPatch, types: list[str] | None
) -> None:
    monkeypatch.setattr(postgres, "POLL_SECONDS", 60.0)  # longer than the test: only NOTIFY can wake it

    async with (
        connect.pool(database, role="foldline_scheduler", name="other") as pool,
        PostgresEventStore(pool, database) as other,
        Follower(store, types=types) as follower,
    ):
        head, stream = NO_STREAM, a_stream()
        for count in range(1, 6):
            head = await other.append(stream, head, [an_event("Wanted")])
            await until(lambda count=count: len(follower.seen) == count)  # type: ignore[misc]


async def test_without_any_notification_the_follower_polls(
    store: PostgresEventStore, slow_writer: asyncpg.Connection[asyncpg.Record]
) -> None:
    event = an_event()

    async with Follower(store) as follower:
        await insert(slow_writer, a_stream(), event)
        await until(lambda: follower.ids() == [event.id])


async def test_a_follower_of_rare_types_does_not_read_the_ledger_again_and_again(
    store: PostgresEventStore,
) -> None:
    """Its place moves on over events that it does not want."""
    await store.append(a_stream(), NO_STREAM, [an_event("Common") for _ in range(10)])

    page = await store.read_page(after=START, limit=5, types=["Rare"])

    assert page.events == []
    assert await store.read_all(after=page.next, limit=100) == []
    await store.append(a_stream(), NO_STREAM, [an_event("Rare")])
    assert len(await store.read_all(after=page.next, limit=100)) == 1


async def test_a_ledger_restored_from_a_dump_into_a_young_cluster_is_refused(database: str) -> None:
    """Its transaction ids lie in this cluster's future: new events would sort before the old ones."""
    admin = await asyncpg.connect(database)
    await admin.execute(
        """
        insert into ledger.events (transaction, number, stream, version, id, type, time, payload, meta, hash)
        values ('999999999', 1, 'run-1', 1, gen_random_uuid(), 'T', now(), '{}', '{}', sha256('x'))
        """
    )
    await admin.close()

    async with connect.pool(database, role="foldline_recorder", name="test") as pool:
        with pytest.raises(FoldlineError, match="restored from a dump"):
            async with PostgresEventStore(pool, database):
                pass
