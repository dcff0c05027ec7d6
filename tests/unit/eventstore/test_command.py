"""Load, fold, decide, append, and again after a lost race."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pytest
from tests.builders import NOON, a_stream

from foldline.domain.registry_events import WorkflowConfigured
from foldline.domain.run_events import Event
from foldline.eventstore import command, facts
from foldline.eventstore.memory import MemoryEventStore
from foldline.eventstore.port import NO_STREAM, START, Head, NewEvent, VersionConflict

META = facts.Meta(actor="ada", workspace="default", correlation="request-1")


class StoppedClock:
    def now(self) -> datetime:
        return NOON


def count(state: int | None, event: Event, at: datetime) -> int:
    assert isinstance(event, WorkflowConfigured)
    assert at == NOON
    return (state or 0) + 1


def configured(number: int) -> WorkflowConfigured:
    return WorkflowConfigured(values={"number": number})


async def execute(
    store: MemoryEventStore, stream: str, events: Sequence[Event]
) -> tuple[int | None, tuple[Event, ...]]:
    return await command.execute(
        store, stream, fold=count, decide=lambda state, now: events, meta=META, clock=StoppedClock()
    )


async def test_the_events_decided_are_appended_and_folded() -> None:
    store, stream = MemoryEventStore(), a_stream("workflow")

    state, events = await execute(store, stream, [configured(1), configured(2)])

    assert state == 2
    assert events == (configured(1), configured(2))
    recorded = await store.read_stream(stream)
    assert [facts.decode(event) for event in recorded] == [configured(1), configured(2)]
    assert all(facts.meta_of(event) == META for event in recorded)
    assert all(event.time == NOON for event in recorded)


async def test_a_decision_sees_what_was_before() -> None:
    store, stream = MemoryEventStore(), a_stream("workflow")
    await execute(store, stream, [configured(1)])
    seen: list[int | None] = []

    def decide(state: int | None, now: datetime) -> Sequence[Event]:
        seen.append(state)
        return [configured(2)]

    state, _ = await command.execute(
        store, stream, fold=count, decide=decide, meta=META, clock=StoppedClock()
    )

    assert seen == [1]
    assert state == 2


async def test_a_decision_for_nothing_appends_nothing() -> None:
    store, stream = MemoryEventStore(), a_stream("workflow")

    assert await execute(store, stream, []) == (None, ())
    assert await store.read_all(after=START, limit=10) == []


async def test_after_a_lost_race_the_decision_is_made_again() -> None:
    store, stream = MemoryEventStore(), a_stream("workflow")
    seen: list[int | None] = []

    class Racing(MemoryEventStore):
        """Somebody else appends just before our first append."""

        async def append(self, stream: str, expected: Head, events: Sequence[NewEvent]) -> Head:
            if len(seen) == 1:
                await super().append(stream, NO_STREAM, facts.new_events([configured(0)], META, NOON))
            return await super().append(stream, expected, events)

    store = Racing()

    def decide(state: int | None, now: datetime) -> Sequence[Event]:
        seen.append(state)
        return [configured(1)]

    state, events = await command.execute(
        store, stream, fold=count, decide=decide, meta=META, clock=StoppedClock()
    )

    assert seen == [None, 1]
    assert state == 2
    assert events == (configured(1),)


async def test_a_race_lost_again_and_again_is_a_conflict() -> None:
    class Losing(MemoryEventStore):
        async def append(self, stream: str, expected: Head, events: Sequence[NewEvent]) -> Head:
            raise VersionConflict(stream, expected.version)

    with pytest.raises(VersionConflict):
        await execute(Losing(), a_stream("workflow"), [configured(1)])
