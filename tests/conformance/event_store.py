"""What every adapter of the ledger must do. An adapter's tests inherit from this and give the `store`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from datetime import UTC, datetime, timedelta, timezone

import pytest
from tests.builders import NOON, a_stream, an_event, events
from tests.waiting import until

from foldline.domain.errors import FoldlineError
from foldline.eventstore import chain
from foldline.eventstore.port import (
    GENESIS,
    NO_STREAM,
    START,
    EventStore,
    Head,
    NewEvent,
    Position,
    Recorded,
    Snapshot,
    VersionConflict,
)


class Follower:
    """Collects what `follow` gives, in a task of its own."""

    def __init__(
        self,
        store: EventStore,
        after: Position = START,
        types: Collection[str] | None = None,
        limit: int = 500,
        gather_seconds: float = 0.0,
        urgent: Collection[str] = (),
    ) -> None:
        self.seen: list[Recorded] = []
        self.batches = 0
        following = store.follow(
            after=after,
            types=types,
            limit=limit,
            gather_seconds=gather_seconds,
            urgent=lambda: frozenset(urgent),
        )
        self._task = asyncio.create_task(self._run(following, limit))

    async def _run(self, batches: AsyncIterator[list[Recorded]], limit: int) -> None:
        async with aclosing(batches) as following:  # type: ignore[type-var]  # it is a generator
            async for batch in following:
                assert batch
                assert len(batch) <= limit
                self.seen.extend(batch)
                self.batches += 1

    async def __aenter__(self) -> Follower:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()

    def ids(self) -> list[str]:
        return [event.id for event in self.seen]


class EventStoreConformance:
    async def test_versions_start_at_one_and_have_no_gap(self, store: EventStore) -> None:
        stream = a_stream()

        head = await store.append(stream, NO_STREAM, events(2))
        await store.append(stream, head, events(3))

        assert [event.version for event in await store.read_stream(stream)] == [1, 2, 3, 4, 5]

    async def test_an_event_is_read_as_it_was_appended(self, store: EventStore) -> None:
        stream = a_stream()
        event = an_event("Spoken", payload='{ "text" : "Grüße, \\u0000 🌍" }', meta='{"actor":"ä"}')

        head = await store.append(stream, NO_STREAM, [event])

        (read,) = await store.read_stream(stream)
        assert (read.stream, read.id, read.type) == (stream, event.id, "Spoken")
        assert (read.payload, read.meta) == (event.payload, event.meta)
        assert read.time == NOON
        assert read.time.utcoffset() == timedelta(0)
        assert read.head == head

    async def test_a_time_of_another_zone_is_the_same_instant_in_utc(self, store: EventStore) -> None:
        stream = a_stream()
        there = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))

        await store.append(stream, NO_STREAM, [an_event(time=there)])

        (read,) = await store.read_stream(stream)
        assert read.time == NOON
        assert read.time.utcoffset() == timedelta(0)
        assert chain.verify([read]) is None

    @pytest.mark.parametrize(
        "event",
        [
            an_event(time=NOON.replace(tzinfo=None)),
            an_event(time=datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))),
            an_event(payload='{"text":"\0"}'),
            an_event(meta='{"actor":"\ud800"}'),
            an_event(type_="T\0"),
            NewEvent("no-uuid", "T", NOON, "{}", "{}"),
            NewEvent("01890A5D-AC96-774B-BCCE-B302099A8057", "T", NOON, "{}", "{}"),
        ],
        ids=[
            "time without zone",
            "time before the year 1",
            "NUL",
            "lone surrogate",
            "NUL in the type",
            "no UUID",
            "upper-case UUID",
        ],
    )
    async def test_what_could_not_be_kept_unchanged_is_refused(
        self, store: EventStore, event: NewEvent
    ) -> None:
        stream = a_stream()

        with pytest.raises(FoldlineError) as refused:
            await store.append(stream, NO_STREAM, [an_event(), event])

        assert refused.value.reason == "EVENT_NOT_STORABLE"
        assert await store.read_stream(stream) == []

    async def test_appending_nothing_changes_nothing(self, store: EventStore) -> None:
        stream = a_stream()

        assert await store.append(stream, NO_STREAM, []) == NO_STREAM
        assert await store.read_stream(stream) == []

    async def test_an_unknown_stream_is_empty(self, store: EventStore) -> None:
        assert await store.read_stream("run-never") == []

    async def test_the_newest_versions_of_streams_are_told(self, store: EventStore) -> None:
        one, other = a_stream(), a_stream()
        await store.append(one, NO_STREAM, events(3))
        await store.append(other, NO_STREAM, events(1))

        assert await store.versions([one, other, "run-never"]) == {one: 3, other: 1}
        assert await store.versions([]) == {}

    async def test_a_stream_is_read_from_the_middle_and_in_parts(self, store: EventStore) -> None:
        stream = a_stream()
        await store.append(stream, NO_STREAM, events(5))

        part = await store.read_stream(stream, after=2, limit=2)

        assert [event.version for event in part] == [3, 4]
        assert [event.version for event in await store.read_stream(stream, after=4)] == [5]
        assert await store.read_stream(stream, after=5) == []

    async def test_a_second_append_behind_the_same_head_is_a_conflict(self, store: EventStore) -> None:
        stream = a_stream()
        head = await store.append(stream, NO_STREAM, events(1))
        await store.append(stream, head, events(1))

        with pytest.raises(VersionConflict):
            await store.append(stream, head, events(1))

        assert len(await store.read_stream(stream)) == 2

    async def test_a_new_stream_cannot_be_started_twice(self, store: EventStore) -> None:
        stream = a_stream()
        await store.append(stream, NO_STREAM, events(2))

        with pytest.raises(VersionConflict):
            await store.append(stream, NO_STREAM, events(1))

    async def test_the_same_append_again_is_a_conflict(self, store: EventStore) -> None:
        stream = a_stream()
        once = events(1)
        await store.append(stream, NO_STREAM, once)

        with pytest.raises(VersionConflict):
            await store.append(stream, NO_STREAM, once)

    async def test_an_append_must_not_leave_a_gap(self, store: EventStore) -> None:
        stream = a_stream()
        await store.append(stream, NO_STREAM, events(1))

        with pytest.raises(VersionConflict):
            await store.append(stream, Head(7, b"x" * 32), events(1))
        with pytest.raises(VersionConflict):
            await store.append(a_stream(), Head(1, b"x" * 32), events(1))

        assert len(await store.read_stream(stream)) == 1

    async def test_the_right_version_with_another_hash_is_a_conflict(self, store: EventStore) -> None:
        stream = a_stream()
        head = await store.append(stream, NO_STREAM, events(1))

        with pytest.raises(VersionConflict):
            await store.append(stream, Head(head.version, b"x" * 32), events(1))

    async def test_a_refused_append_leaves_nothing_of_itself(self, store: EventStore) -> None:
        stream = a_stream()
        await store.append(stream, NO_STREAM, events(2))
        before = await store.read_all(after=START, limit=1000)

        with pytest.raises(VersionConflict):
            # Version 2 is taken, version 3 would be free.
            await store.append(stream, (await store.read_stream(stream))[0].head, events(2))

        assert await store.read_all(after=START, limit=1000) == before

    async def test_of_many_writers_of_one_version_one_wins(self, store: EventStore) -> None:
        stream = a_stream()
        head = await store.append(stream, NO_STREAM, events(1))

        outcomes = await asyncio.gather(
            *(store.append(stream, head, events(2)) for _ in range(20)), return_exceptions=True
        )

        assert sum(isinstance(outcome, Head) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, VersionConflict) for outcome in outcomes) == 19
        assert len(await store.read_stream(stream)) == 3

    async def test_a_loser_does_not_take_others_with_it(self, store: EventStore) -> None:
        taken = [a_stream() for _ in range(5)]
        for stream in taken:
            await store.append(stream, NO_STREAM, events(1))
        free = [a_stream() for _ in range(5)]

        outcomes = await asyncio.gather(
            *(
                store.append(stream, NO_STREAM, events(1))
                for pair in zip(taken, free, strict=True)
                for stream in pair
            ),
            return_exceptions=True,
        )

        assert all(isinstance(outcome, VersionConflict) for outcome in outcomes[::2])
        assert all(isinstance(outcome, Head) for outcome in outcomes[1::2])

    async def test_the_chain_of_a_stream_holds(self, store: EventStore) -> None:
        stream = a_stream()
        head = await store.append(stream, NO_STREAM, events(3))
        await store.append(stream, head, events(2))

        recorded = await store.read_stream(stream)

        assert chain.verify(recorded) is None
        assert chain.verify(recorded[2:], after=recorded[1].head) is None
        assert recorded[0].hash == chain.link(GENESIS, stream, 1, recorded[0])

    async def test_all_streams_are_read_in_one_order(self, store: EventStore) -> None:
        first, second = a_stream(), a_stream("workflow")
        head = await store.append(first, NO_STREAM, events(2))
        await store.append(second, NO_STREAM, events(2))
        await store.append(first, head, events(1))

        everything = await store.read_all(after=START, limit=100)

        assert [(event.stream, event.version) for event in everything] == [
            (first, 1),
            (first, 2),
            (second, 1),
            (second, 2),
            (first, 3),
        ]
        positions = [event.position for event in everything]
        assert positions == sorted(set(positions))
        assert positions[0] > START

    async def test_reading_goes_on_behind_a_position(self, store: EventStore) -> None:
        await store.append(a_stream(), NO_STREAM, events(5))
        everything = await store.read_all(after=START, limit=100)

        pages = []
        position = START
        while page := await store.read_all(after=position, limit=2):
            pages.append(page)
            position = Position.parse(str(page[-1].position))

        assert [len(page) for page in pages] == [2, 2, 1]
        assert [event for page in pages for event in page] == everything

    async def test_reading_can_be_limited_to_types(self, store: EventStore) -> None:
        stream = a_stream()
        await store.append(stream, NO_STREAM, [an_event("A"), an_event("B"), an_event("A"), an_event("C")])

        found = await store.read_all(after=START, limit=2, types={"B", "C"})

        assert [event.type for event in found] == ["B", "C"]
        assert await store.read_all(after=START, limit=2, types=[]) == []

    async def test_a_page_of_rare_types_goes_on_behind_the_others(self, store: EventStore) -> None:
        await store.append(a_stream(), NO_STREAM, [an_event("Rare"), *(an_event("Common") for _ in range(9))])

        page = await store.read_page(after=START, limit=5, types=["Rare"])

        assert [event.type for event in page.events] == ["Rare"]
        assert await store.read_all(after=page.next, limit=100) == []
        await store.append(a_stream(), NO_STREAM, [an_event("Rare")])
        following = await store.read_page(after=page.next, limit=5, types=["Rare"])
        assert len(following.events) == 1
        assert (await store.read_page(after=following.next, limit=5)).next == following.next

    async def test_a_full_page_goes_on_behind_its_last_event(self, store: EventStore) -> None:
        await store.append(a_stream(), NO_STREAM, [an_event() for _ in range(5)])

        page = await store.read_page(after=START, limit=3)

        assert page.next == page.events[-1].position
        assert len((await store.read_page(after=page.next, limit=3)).events) == 2

    async def test_a_follower_sees_what_was_and_what_comes(self, store: EventStore) -> None:
        stream = a_stream()
        head = await store.append(stream, NO_STREAM, events(3))

        async with Follower(store) as follower:
            await until(lambda: len(follower.seen) == 3)
            await store.append(stream, head, events(2))
            await until(lambda: len(follower.seen) == 5)

        assert [event.version for event in follower.seen] == [1, 2, 3, 4, 5]

    async def test_a_follower_that_gathers_gets_all_of_it_in_fewer_batches(self, store: EventStore) -> None:
        stream, head = a_stream(), NO_STREAM
        async with Follower(store, gather_seconds=0.5) as follower:
            for _ in range(30):
                head = await store.append(stream, head, events(1))
            await until(lambda: len(follower.seen) == 30)

        assert [event.version for event in follower.seen] == list(range(1, 31))
        assert follower.batches < 30

    async def test_an_urgent_event_ends_the_gathering(self, store: EventStore) -> None:
        stream = a_stream()
        async with Follower(store, gather_seconds=3600, urgent=["End"]) as follower:
            head = await store.append(stream, NO_STREAM, [an_event("Start")])
            await until(lambda: len(follower.seen) == 1)
            head = await store.append(stream, head, [an_event("Step")])
            await store.append(stream, head, [an_event("End")])
            await until(lambda: len(follower.seen) == 3)

    async def test_a_follower_starts_behind_a_position(self, store: EventStore) -> None:
        stream = a_stream()
        await store.append(stream, NO_STREAM, events(3))
        known = await store.read_all(after=START, limit=2)

        async with Follower(store, after=known[-1].position) as follower:
            await until(lambda: len(follower.seen) == 1)

        assert follower.seen[0].version == 3

    async def test_a_follower_of_types_misses_none_of_them(self, store: EventStore) -> None:
        stream = a_stream()
        head = await store.append(stream, NO_STREAM, [an_event("A"), an_event("B")])

        async with Follower(store, types=["B"], limit=1) as follower:
            await until(lambda: len(follower.seen) == 1)
            for _ in range(3):
                head = await store.append(stream, head, [an_event("A"), an_event("A")])
            await store.append(stream, head, [an_event("B")])
            await until(lambda: len(follower.seen) == 2)

        assert [event.version for event in follower.seen] == [2, 9]

    async def test_followers_of_many_writers_see_the_same_once(self, store: EventStore) -> None:
        async def write(stream: str) -> None:
            head = NO_STREAM
            for _ in range(20):
                head = await store.append(stream, head, events(2))

        streams = [a_stream() for _ in range(10)]
        async with Follower(store, limit=7) as small, Follower(store) as large:
            await asyncio.gather(*map(write, streams))
            await until(lambda: len(small.seen) >= 400 and len(large.seen) >= 400)

        assert len(set(small.ids())) == 400
        assert small.ids() == large.ids()
        assert small.ids() == [event.id for event in await store.read_all(after=START, limit=1000)]
        for stream in streams:
            versions = [event.version for event in small.seen if event.stream == stream]
            assert versions == list(range(1, 41))

    async def test_a_snapshot_is_loaded_as_it_was_saved(self, store: EventStore) -> None:
        snapshot = Snapshot(a_stream(), Head(3, b"h" * 32), "run/1", b"\x00state\xff")

        await store.save_snapshot(snapshot)

        assert await store.load_snapshot(snapshot.stream) == snapshot
        assert await store.load_snapshot(a_stream()) is None

    async def test_an_older_snapshot_does_not_replace_a_newer_one(self, store: EventStore) -> None:
        stream = a_stream()
        newer = Snapshot(stream, Head(5, b"h" * 32), "run/1", b"five")
        await store.save_snapshot(newer)

        await store.save_snapshot(Snapshot(stream, Head(4, b"h" * 32), "run/1", b"four"))

        assert await store.load_snapshot(stream) == newer

    async def test_new_code_replaces_a_snapshot_of_old_code(self, store: EventStore) -> None:
        stream = a_stream()
        await store.save_snapshot(Snapshot(stream, Head(5, b"h" * 32), "run/1", b"five"))
        other = Snapshot(stream, Head(4, b"i" * 32), "run/2", b"four")

        await store.save_snapshot(other)

        assert await store.load_snapshot(stream) == other

    async def test_times_far_away_are_kept(self, store: EventStore) -> None:
        stream = a_stream()
        far = datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)

        await store.append(stream, NO_STREAM, [an_event(time=far)])

        assert (await store.read_stream(stream))[0].time == far
