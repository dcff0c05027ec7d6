"""Appends that come together leave together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from tests.builders import a_stream, events

from foldline.eventstore.appender import MOST_EVENTS
from foldline.eventstore.port import NO_STREAM, START, Head, VersionConflict
from foldline.eventstore.postgres import PostgresEventStore
from foldline.pg import connect


@pytest.fixture
async def store(database: str) -> AsyncIterator[PostgresEventStore]:
    async with (
        connect.pool(database, role="foldline_scheduler", name="test") as pool,
        PostgresEventStore(pool, database) as opened,
    ):
        yield opened


async def transactions(store: PostgresEventStore) -> list[int]:
    """How many events each transaction holds, in order."""
    counts: dict[int, int] = {}
    for event in await store.read_all(after=START, limit=10_000):
        counts[event.position.transaction] = counts.get(event.position.transaction, 0) + 1
    return list(counts.values())


async def test_a_hundred_appends_at_once_share_one_commit(store: PostgresEventStore) -> None:
    await asyncio.gather(*(store.append(a_stream(), NO_STREAM, events(2)) for _ in range(100)))

    assert await transactions(store) == [200]


async def test_a_lone_append_waits_for_nobody(store: PostgresEventStore) -> None:
    await store.append(a_stream(), NO_STREAM, events(1))
    await store.append(a_stream(), NO_STREAM, events(1))

    assert await transactions(store) == [1, 1]


async def test_a_batch_has_a_limit(store: PostgresEventStore) -> None:
    many = MOST_EVENTS // 10
    await asyncio.gather(*(store.append(a_stream(), NO_STREAM, events(11)) for _ in range(many)))

    counts = await transactions(store)
    assert len(counts) == 2
    assert sum(counts) == 11 * many


async def test_a_large_append_is_never_split(store: PostgresEventStore) -> None:
    await store.append(a_stream(), NO_STREAM, events(MOST_EVENTS + 500))

    assert await transactions(store) == [MOST_EVENTS + 500]


async def test_only_the_guilty_of_a_batch_get_a_conflict(store: PostgresEventStore) -> None:
    taken = a_stream()
    await store.append(taken, NO_STREAM, events(1))
    nowhere = Head(3, b"x" * 32)

    outcomes = await asyncio.gather(
        store.append(a_stream(), NO_STREAM, events(1)),
        store.append(taken, NO_STREAM, events(1)),
        store.append(a_stream(), NO_STREAM, events(1)),
        store.append(a_stream(), nowhere, events(1)),
        store.append(a_stream(), NO_STREAM, events(1)),
        return_exceptions=True,
    )

    assert [isinstance(outcome, VersionConflict) for outcome in outcomes] == [False, True, False, True, False]


async def test_appends_to_one_stream_at_once_are_settled_in_order(store: PostgresEventStore) -> None:
    stream = a_stream()
    first = asyncio.ensure_future(store.append(stream, NO_STREAM, events(1)))
    second = asyncio.ensure_future(store.append(stream, NO_STREAM, events(1)))

    assert (await first).version == 1
    with pytest.raises(VersionConflict):
        await second


async def test_an_append_cancelled_in_the_queue_is_not_written(store: PostgresEventStore) -> None:
    stream, other = a_stream(), a_stream()
    cancelled = asyncio.ensure_future(store.append(stream, NO_STREAM, events(1)))
    kept = asyncio.ensure_future(store.append(other, NO_STREAM, events(1)))
    await asyncio.sleep(0)  # both are queued now, neither is sent
    cancelled.cancel()

    await kept

    assert await store.read_stream(stream) == []


async def test_a_database_that_refuses_is_reported_and_the_writer_goes_on(
    store: PostgresEventStore, database: str
) -> None:
    admin = await asyncpg.connect(database)
    await admin.execute("revoke all on sequence ledger.event_number from foldline_scheduler")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await store.append(a_stream(), NO_STREAM, events(1))

    await admin.execute("grant usage on sequence ledger.event_number to foldline_scheduler")
    await admin.close()
    await store.append(a_stream(), NO_STREAM, events(1))
