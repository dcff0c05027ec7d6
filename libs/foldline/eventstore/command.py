"""Load, fold, decide, append, and again when somebody else was faster: written once for every service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from foldline.chassis.clock import Clock
from foldline.domain.run_events import Event
from foldline.eventstore import facts
from foldline.eventstore.port import NO_STREAM, EventStore, VersionConflict

S = TypeVar("S")

ATTEMPTS = 10
"""Each lost race means that another writer got through, so even a crowd of writers drains."""


async def execute(
    store: EventStore,
    stream: str,
    *,
    fold: Callable[[S | None, Event, datetime], S],
    decide: Callable[[S | None, datetime], Sequence[Event]],
    meta: facts.Meta,
    clock: Clock,
) -> tuple[S | None, tuple[Event, ...]]:
    """Append what `decide` says; return the state behind it and the events appended (maybe none).

    `fold(state, event, at)` gives the next state and must not change the one it gets; `decide(state, now)`
    gives the events, or raises to refuse. State is None before the first event. Both may be called more
    than once. Raises VersionConflict when the race was lost ATTEMPTS times.
    """
    state: S | None = None
    head = NO_STREAM
    for attempt in range(1, ATTEMPTS + 1):
        for recorded in await store.read_stream(stream, after=head.version):
            state = fold(state, facts.decode(recorded), recorded.time)
            head = recorded.head
        now = clock.now()
        events = tuple(decide(state, now))
        if not events:
            return state, ()
        try:
            await store.append(stream, head, facts.new_events(events, meta, now))
        except VersionConflict:
            if attempt == ATTEMPTS:
                raise
            continue
        for event in events:
            state = fold(state, event, now)
        return state, events
    raise AssertionError("unreachable: the last attempt returns or raises")
