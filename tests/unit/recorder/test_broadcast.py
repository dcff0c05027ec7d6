"""Topics: a bounded tail of events that all watchers share."""

from __future__ import annotations

import asyncio

from tests.builders import NOON

from foldline.eventstore.port import Position, Recorded
from foldline_recorder.broadcast import TAIL_BYTES, TAIL_EVENTS, Broadcast, Topic


def event(version: int, payload: str = "{}") -> Recorded:
    return Recorded(
        position=Position(1, version),
        stream="run-1",
        version=version,
        id="",
        type="StepScheduled",
        time=NOON,
        payload=payload,
        meta="{}",
        hash=b"",
    )


def events(first: int, last: int) -> list[Recorded]:
    return [event(version) for version in range(first, last + 1)]


def versions(found: list[Recorded] | None) -> list[int] | None:
    return None if found is None else [one.version for one in found]


def test_the_events_behind_a_version_are_those_of_the_tail() -> None:
    topic = Topic()
    topic.add(events(5, 8))

    assert versions(topic.after(4, 10)) == [5, 6, 7, 8]
    assert versions(topic.after(6, 1)) == [7]
    assert versions(topic.after(8, 10)) == []
    assert versions(topic.after(99, 10)) == []


def test_events_before_the_tail_have_to_be_read_elsewhere() -> None:
    topic = Topic()
    topic.add(events(5, 8))

    assert topic.after(3, 10) is None


def test_events_that_come_again_change_nothing() -> None:
    topic = Topic()
    topic.add(events(1, 4))
    topic.add(events(2, 5))

    assert versions(topic.after(0, 10)) == [1, 2, 3, 4, 5]


def test_a_gap_begins_a_new_tail() -> None:
    topic = Topic()
    topic.add(events(1, 4))
    topic.add(events(7, 8))

    assert topic.after(4, 10) is None
    assert versions(topic.after(6, 10)) == [7, 8]


def test_a_state_that_was_read_elsewhere_is_not_waited_for() -> None:
    topic = Topic()
    topic.add(events(1, 4))

    topic.reach(6)
    topic.reach(5)
    topic.add(events(5, 7))

    assert topic.version == 7
    assert versions(topic.after(6, 10)) == [7]
    assert topic.after(4, 10) is None


def test_the_tail_is_bounded_in_events_and_in_bytes() -> None:
    many, large = Topic(), Topic()

    many.add(events(1, TAIL_EVENTS + 10))
    large.add([event(version, "x" * (TAIL_BYTES // 2)) for version in range(1, 6)])
    large.add([event(6, "x" * TAIL_BYTES * 2)])

    assert many.after(9, 1) is None
    assert versions(many.after(10, 1)) == [11]
    assert versions(large.after(5, 10)) == [6]


async def test_everybody_who_waits_is_woken() -> None:
    topic = Topic()
    waiting = [asyncio.create_task(topic.wait(version)) for version in (0, 0, 1)]
    await asyncio.sleep(0)

    topic.add(events(1, 1))
    await asyncio.gather(*waiting[:2])

    assert not waiting[2].done()
    topic.add(events(2, 2))
    await waiting[2]


def test_a_topic_lives_as_long_as_somebody_watches() -> None:
    broadcast = Broadcast()

    with broadcast.watch("run-1") as one, broadcast.watch("run-1") as two:
        broadcast.publish("run-1", events(1, 2))
        broadcast.publish("run-2", events(1, 2))
        assert one is two
        assert broadcast.watched() == {"run-1": 2}

    assert broadcast.watched() == {}
