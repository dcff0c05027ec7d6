"""The events of a run, in pages, each with a verdict on its chain; and the run as of any of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from foldline.domain.errors import FoldlineError, Kind
from foldline.eventstore import chain
from foldline.eventstore.port import NO_STREAM, Head, Recorded
from foldline_recorder.records import Record, Records

DEFAULT_SIZE = 1000
LARGEST_SIZE = 10_000
PAGE_BYTES = 4 * 1024 * 1024
"""A page ends early rather than become a message that no one takes."""

READ_AT_ONCE = 1000


class Page(NamedTuple):
    events: Sequence[Recorded]
    more: bool
    flaw: chain.Flaw | None


async def page(records: Records, run_id: str, *, after: int, size: int) -> Page:
    """Events with a higher version than `after`, verified against the event before them."""
    head = await _head(records, run_id, after)
    events: list[Recorded] = []
    room = PAGE_BYTES
    more = True
    while more and room > 0 and len(events) < size:
        # One more than wanted, to know whether there is more.
        limit = min(READ_AT_ONCE, size - len(events)) + 1
        behind = events[-1].version if events else after
        found = await records.events(run_id, after=behind, limit=limit)
        more = len(found) == limit
        for number, recorded in enumerate(found[: limit - 1]):
            events.append(recorded)
            room -= len(recorded.payload) + len(recorded.meta)
            if room <= 0:
                more = number + 1 < len(found)
                break
    if head is None:
        return Page(events, more, chain.Flaw(after, f"version {after} is missing"))
    return Page(events, more, chain.verify(events, head))


async def _head(records: Records, run_id: str, after: int) -> Head | None:
    """The head that the page is to follow; None where that event is missing although later ones are there."""
    if after == 0:
        return NO_STREAM
    behind = await records.events(run_id, after=after - 1, limit=1)
    if not behind:
        return Head(after, b"")  # the run has not got that far, so the page is empty
    return behind[0].head if behind[0].version == after else None


async def replay(records: Records, run_id: str, version: int) -> tuple[Record, Recorded]:
    """The record as of a version (0: the newest), and the event that led to it."""
    record = await (records.at(run_id, version) if version > 0 else records.newest(run_id))
    if record is None or version < 0:
        newest = await records.newest(run_id)
        last = 0 if newest is None else newest.version
        raise FoldlineError(
            Kind.OUT_OF_RANGE,
            "NO_SUCH_VERSION",
            f"run {run_id} has no version {version}; there are the versions 1 to {last}",
            version=str(version),
            last=str(last),
        )
    event = await records.events(run_id, after=record.version - 1, limit=1)
    return record, event[0]
