"""Waiting for the read models."""

from __future__ import annotations

import asyncio

from foldline_registry.views import seen
from foldline_registry.views.seen import Seen


async def test_what_is_seen_already_is_not_waited_for() -> None:
    known = Seen()
    known.note("workflow-lab.digits", 3)

    assert await known.wait("workflow-lab.digits", 3, seconds=0)
    assert await known.wait("workflow-lab.digits", 2, seconds=0)


async def test_a_wait_ends_when_the_revision_comes() -> None:
    known = Seen()
    known.note("other", 9)
    waiting = [asyncio.create_task(known.wait("workflow-lab.digits", 2, seconds=5)) for _ in range(3)]
    await asyncio.sleep(0)

    known.note("workflow-lab.digits", 1)
    known.note("workflow-lab.digits", 2)

    assert await asyncio.gather(*waiting) == [True, True, True]


async def test_a_wait_is_bounded() -> None:
    assert not await Seen().wait("workflow-lab.digits", 1, seconds=0.01)


async def test_only_the_latest_streams_are_remembered() -> None:
    known = Seen()
    for number in range(seen.REMEMBERED + 1):
        known.note(f"stream-{number}", 1)

    assert not await known.wait("stream-0", 1, seconds=0)
    assert await known.wait("stream-1", 1, seconds=0)
