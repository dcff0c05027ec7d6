"""Live watches: the whole state first, then what changed, until the run has ended. A run that is opened again
may be watched again.

Each message is the state as of its last event, so whoever loses the connection goes on from the version that
he saw last. However many watch a run, what changed is put together once.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from foldline.api.recorder.v1.recorder_service_pb2 import WatchRunResponse
from foldline.domain.run import RunState, StepState
from foldline.eventstore.port import Recorded
from foldline_recorder.broadcast import TAIL_BYTES, TAIL_EVENTS, Broadcast, Topic
from foldline_recorder.events import event_message
from foldline_recorder.records import Record, Records, fold_on
from foldline_recorder.streams import run_stream
from foldline_recorder.views import run_message, step_messages


class _Update(NamedTuple):
    before: Record
    after: Record
    message: WatchRunResponse


class Watches:
    def __init__(self, records: Records, broadcast: Broadcast) -> None:
        self._records = records
        self._broadcast = broadcast
        self._updates: WeakKeyDictionary[Topic, _Update] = WeakKeyDictionary()

    async def watch(self, run_id: str, *, after: int) -> AsyncGenerator[WatchRunResponse, None]:
        """The run must exist. Events up to version `after` are left out."""
        # The topic is there before the record is read, so nothing falls in between.
        with self._broadcast.watch(run_stream(run_id)) as topic:
            newest = await self._records.newest(run_id)
            assert newest is not None, "the caller has found the run"
            topic.reach(newest.version)
            record, events = await self._begin(newest, after)
            yield _message(record, list(record.state.steps), events)
            while not record.state.is_final:
                events = await self._following(topic, run_id, record.version)
                update = self._update(topic, record, events)
                record = update.after
                yield update.message

    async def _begin(self, newest: Record, after: int) -> tuple[Record, Sequence[Recorded]]:
        """The first state and its events: the newest, unless that takes too many events for one message."""
        run_id = newest.state.created.run_id
        if after >= newest.version:
            return newest, []
        events = _portion(await self._records.events(run_id, after=after, limit=TAIL_EVENTS))
        if events[-1].version >= newest.version:
            return fold_on(newest, [one for one in events if one.version > newest.version]) or newest, events
        record = await self._records.at(run_id, events[-1].version)
        assert record is not None, "the event is in the ledger"
        return record, events

    async def _following(self, topic: Topic, run_id: str, version: int) -> Sequence[Recorded]:
        """The events behind `version`, as many as fit one message; waits for the first."""
        while True:
            await topic.wait(version)
            events = topic.after(version, TAIL_EVENTS)
            if events is None:
                events = await self._records.events(run_id, after=version, limit=TAIL_EVENTS)
            if events:
                return _portion(events)

    def _update(self, topic: Topic, record: Record, events: Sequence[Recorded]) -> _Update:
        last = self._updates.get(topic)
        if (
            last is not None
            and last.before.version == record.version
            and last.after.version == events[-1].version
        ):
            return last
        # Whoever follows the ledger has folded the newest events already.
        following = self._records.known(record.state.created.run_id, events[-1].version)
        following = following or fold_on(record, events)
        assert following is not None, "there are events"
        message = _message(following, _changed(record.state, following.state), events)
        update = _Update(record, following, message)
        self._updates[topic] = update
        return update


def _portion(events: Sequence[Recorded]) -> Sequence[Recorded]:
    """As many of the events as fit one message, at least one."""
    size = 0
    for place, recorded in enumerate(events):
        size += len(recorded.payload)
        if size > TAIL_BYTES and place:
            return events[:place]
    return events


def _changed(old: RunState, new: RunState) -> list[StepState]:
    """States share the steps that did not change, so this compares identities."""
    return [after for before, after in zip(old.steps, new.steps, strict=True) if before is not after]


def _message(record: Record, steps: Sequence[StepState], events: Sequence[Recorded]) -> WatchRunResponse:
    return WatchRunResponse(
        run=run_message(record),
        steps=step_messages(record, steps),
        events=[event_message(event) for event in events],
    )
