"""Connections break at the worst moment, Postgres dies under load: nothing is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import asyncpg
import pytest
from tests.builders import a_stream, an_event, events
from tests.conformance.event_store import Follower
from tests.integration.eventstore.proxy import Proxy, in_front_of
from tests.servers import Running
from tests.waiting import until

from foldline.cli.stack.postgres import EmbeddedPostgres
from foldline.domain.errors import FoldlineError, Kind
from foldline.eventstore import appender, chain
from foldline.eventstore.port import NO_STREAM, START, Head, VersionConflict
from foldline.eventstore.postgres import PostgresEventStore
from foldline.pg import connect

MARKER = "lose-me"


class Place(NamedTuple):
    """A store whose connections lead through a proxy, and one with a line of its own."""

    store: PostgresEventStore
    proxy: Proxy
    other: PostgresEventStore


@pytest.fixture
async def place(database: str) -> AsyncIterator[Place]:
    async with (
        in_front_of(database) as (proxy, through),
        connect.pool(through, role="foldline_scheduler", name="test") as pool,
        connect.pool(database, role="foldline_scheduler", name="other") as straight,
        PostgresEventStore(pool, through) as store,
        PostgresEventStore(straight, database) as other,
    ):
        await store.append(a_stream(), NO_STREAM, events(1))  # connected, statement prepared
        yield Place(store, proxy, other)


async def test_an_append_whose_answer_was_lost_succeeds_once(place: Place) -> None:
    stream = a_stream()
    place.proxy.lose("answer", MARKER.encode())

    head = await place.store.append(stream, NO_STREAM, [an_event(payload=f'"{MARKER}"'), an_event()])

    assert place.proxy.cuts == 1
    recorded = await place.store.read_stream(stream)
    assert [event.version for event in recorded] == [1, 2]
    assert recorded[-1].head == head


async def test_an_append_that_never_arrived_is_sent_again(place: Place) -> None:
    stream = a_stream()
    place.proxy.lose("request", MARKER.encode())

    await place.store.append(stream, NO_STREAM, [an_event(payload=f'"{MARKER}"')])

    assert place.proxy.cuts == 1
    assert len(await place.store.read_stream(stream)) == 1


async def test_all_appends_of_a_batch_whose_answer_was_lost_succeed_once(place: Place) -> None:
    streams = [a_stream() for _ in range(20)]
    place.proxy.lose("answer", MARKER.encode())

    await asyncio.gather(
        *(place.store.append(stream, NO_STREAM, [an_event(payload=f'"{MARKER}"')]) for stream in streams)
    )

    assert place.proxy.cuts == 1
    for stream in streams:
        assert len(await place.store.read_stream(stream)) == 1


async def test_who_took_the_version_meanwhile_wins(place: Place) -> None:
    stream = a_stream()
    winner = an_event()

    async def take_it() -> None:
        await place.other.append(stream, NO_STREAM, [winner])

    place.proxy.lose("request", MARKER.encode(), then=take_it)

    with pytest.raises(VersionConflict):
        await place.store.append(stream, NO_STREAM, [an_event(payload=f'"{MARKER}"')])

    assert [event.id for event in await place.store.read_stream(stream)] == [winner.id]


async def test_a_first_try_that_still_commits_is_waited_for(place: Place, database: str) -> None:
    """The old backend may be busy committing while the second try is on its way."""
    stream = a_stream()
    event = an_event(payload=f'"{MARKER}"')
    blocker = await asyncpg.connect(database)
    transaction = blocker.transaction()
    await transaction.start()
    # An uncommitted event at that version holds up the first try, and so the second one.
    await blocker.execute(
        """
        insert into ledger.events (stream, version, id, type, time, payload, meta, hash)
        values ($1, 1, gen_random_uuid(), 'T', now(), '{}', '{}', sha256('x'))
        """,
        stream,
    )
    appending = asyncio.ensure_future(place.store.append(stream, NO_STREAM, [event]))

    async def waiting_backends() -> bool:
        found = await blocker.fetchval(
            "select count(*) from pg_stat_activity"
            " where wait_event_type = 'Lock' and datname = current_database()"
        )
        return bool(found == 1)

    await until(waiting_backends)
    place.proxy.refuse()
    place.proxy.refuse(False)
    await transaction.rollback()
    await blocker.close()

    await appending
    assert [event.id for event in await place.store.read_stream(stream)] == [event.id]


async def test_an_outcome_that_stays_unknown_is_called_unknown(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appender, "RESOLVE_SECONDS", 0.3)

    async def stay_away() -> None:
        place.proxy.refuse()

    place.proxy.lose("answer", MARKER.encode(), then=stay_away)

    with pytest.raises(FoldlineError) as failed:
        await place.store.append(a_stream(), NO_STREAM, [an_event(payload=f'"{MARKER}"')])

    assert failed.value.kind is Kind.UNAVAILABLE
    assert failed.value.reason == "LEDGER_OUTCOME_UNKNOWN"


async def test_while_postgres_is_away_everything_is_unavailable_and_then_goes_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appender, "RESOLVE_SECONDS", 0.3)
    stream = a_stream()
    head = await place.store.append(stream, NO_STREAM, events(1))

    async with Follower(place.store) as follower:
        await until(lambda: len(follower.seen) == 2)
        place.proxy.refuse()
        for attempt in (
            place.store.append(stream, head, events(1)),
            place.store.read_stream(stream),
            place.store.read_all(after=START, limit=1),
            place.store.load_snapshot(stream),
        ):
            with pytest.raises(FoldlineError) as failed:
                await attempt
            assert failed.value.kind is Kind.UNAVAILABLE
        place.proxy.refuse(False)
        await place.store.append(stream, head, events(1))
        await until(lambda: len(follower.seen) == 3)


async def test_a_killed_backend_is_replaced(place: Place, database: str) -> None:
    admin = await asyncpg.connect(database)
    await admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where pid <> pg_backend_pid() and datname = current_database()"
    )
    await admin.close()

    async def append() -> None:
        try:
            await place.store.append(a_stream(), NO_STREAM, events(1))
        except FoldlineError as error:
            raise AssertionError(error.message) from error

    await until(append)


async def test_postgres_killed_under_load_loses_nothing_and_doubles_nothing(
    own_postgres: Running[EmbeddedPostgres],
) -> None:
    dsn = own_postgres.server.dsn()
    writing = asyncio.Event()
    writing.set()
    acknowledged: dict[str, list[str]] = {}

    async def write(store: PostgresEventStore) -> None:
        stream = a_stream()
        mine = acknowledged.setdefault(stream, [])
        head: Head | None = NO_STREAM
        while writing.is_set():
            try:
                if head is None:
                    recorded = await store.read_stream(stream)
                    mine[:] = [event.id for event in recorded]
                    head = recorded[-1].head if recorded else NO_STREAM
                batch = events(2)
                head = await store.append(stream, head, batch)
                mine.extend(event.id for event in batch)
            except FoldlineError as error:
                if error.kind is not Kind.UNAVAILABLE:
                    raise
                if error.reason == "LEDGER_OUTCOME_UNKNOWN":
                    head = None
                await asyncio.sleep(0.02)

    async with (
        connect.pool(dsn, role="foldline_scheduler", name="test") as pool,
        PostgresEventStore(pool, dsn) as store,
        Follower(store) as follower,
    ):
        async with asyncio.TaskGroup() as tasks:
            for _ in range(10):
                tasks.create_task(write(store))
            for _ in range(3):
                count = len(follower.seen)
                await until(lambda count=count: len(follower.seen) > count + 200, timeout=30)  # type: ignore[misc]
                own_postgres.kill()
                await asyncio.to_thread(own_postgres.start)
            writing.clear()
        total = sum(map(len, acknowledged.values()))
        await until(lambda: len(follower.seen) >= total, timeout=30)

        assert len(set(follower.ids())) == len(follower.ids()) == total
        for stream, ids in acknowledged.items():
            recorded = await store.read_stream(stream)
            assert [event.id for event in recorded] == ids
            assert chain.verify(recorded) is None
