"""The hash chain: its format is fixed, and what was tampered with is found and named."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import NOON, a_stream, an_event, events

from foldline.eventstore import chain
from foldline.eventstore.memory import MemoryEventStore
from foldline.eventstore.port import GENESIS, NO_STREAM, NewEvent, Recorded

ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def test_the_format_is_the_one_written_down() -> None:
    """Spelled out by hand from docs/adr/0003. If this fails, every chain ever recorded is broken."""
    event = NewEvent(ID, "AttemptStarted", NOON, '{"step":"träin"}', '{"actor":"a"}')

    written = (
        bytes(32)
        + b"\0\0\0\0\0\0\0\x05run-1"
        + b"\0\0\0\0\0\0\0\x0212"
        + b"\0\0\0\0\0\0\0\x2401890a5d-ac96-774b-bcce-b302099a8057"
        + b"\0\0\0\0\0\0\0\x0eAttemptStarted"
        + b"\0\0\0\0\0\0\0\x1b2026-03-01T12:00:00.123456Z"
        + b'\0\0\0\0\0\0\0\x0d{"actor":"a"}'
        + b'\0\0\0\0\0\0\0\x11{"step":"tr\xc3\xa4in"}'
    )
    assert chain.link(GENESIS, "run-1", 12, event) == hashlib.sha256(written).digest()


def test_a_known_event_has_its_known_hash() -> None:
    event = NewEvent(ID, "T", datetime(2026, 1, 1, tzinfo=UTC), "{}", "{}")

    assert chain.link(GENESIS, "run-1", 1, event).hex() == (
        "2af53698c13c195022868adb331d6eecd77f6d77886baacff9c184fd83e40efa"
    )


def test_the_same_instant_in_another_zone_has_the_same_hash() -> None:
    event = an_event()
    there = msgspec.structs.replace(event, time=NOON.astimezone(timezone(timedelta(hours=-3))))

    assert chain.link(GENESIS, "s", 1, event) == chain.link(GENESIS, "s", 1, there)


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=4, max_size=4), st.data())
def test_moving_a_letter_from_one_field_to_the_next_changes_the_hash(
    texts: list[str], data: st.DataObject
) -> None:
    stream, type_, meta, payload = texts
    event = NewEvent(ID, type_ + "x", NOON, payload, meta)
    moved = NewEvent(ID, type_, NOON, payload, "x" + meta)

    assert chain.link(GENESIS, stream, 1, event) != chain.link(GENESIS, stream, 1, moved)


async def a_recorded_stream(count: int) -> list[Recorded]:
    store, stream = MemoryEventStore(), a_stream()
    await store.append(stream, NO_STREAM, events(count))
    return await store.read_stream(stream)


async def test_an_untouched_stream_holds() -> None:
    recorded = await a_recorded_stream(5)

    assert chain.verify(recorded) is None
    assert chain.verify([]) is None
    assert chain.verify(recorded[3:], after=recorded[2].head) is None


@pytest.mark.parametrize(
    "change",
    [
        {"payload": '{"count":30}'},
        {"meta": "{}"},
        {"type": "Recounted"},
        {"time": NOON + timedelta(microseconds=1)},
        {"id": ID},
        {"stream": "run-other"},
        {"hash": bytes(32)},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_a_changed_event_is_found_and_named(change: dict[str, object]) -> None:
    recorded = await a_recorded_stream(5)
    recorded[2] = msgspec.structs.replace(recorded[2], **change)

    flaw = chain.verify(recorded)

    assert flaw is not None
    assert flaw.version == 3


async def test_a_removed_event_is_found_and_named() -> None:
    recorded = await a_recorded_stream(5)
    del recorded[1]

    flaw = chain.verify(recorded)

    assert flaw is not None
    assert flaw.version == 2
    assert "missing" in flaw.problem


async def test_a_stream_that_was_forged_as_a_whole_does_not_follow_its_known_head() -> None:
    recorded = await a_recorded_stream(5)
    forged = await a_recorded_stream(5)

    assert chain.verify(forged[2:], after=recorded[1].head) is not None
