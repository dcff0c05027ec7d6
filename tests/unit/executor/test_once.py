"""Work that is done once for all who need it."""

from __future__ import annotations

import asyncio

import pytest

from foldline.environments import Tell
from foldline_executor.once import Once


class Listener:
    def __init__(self) -> None:
        self.lines: list[str] = []

    async def hear(self, line: str) -> None:
        self.lines.append(line)


class Work:
    """Tells a word before its gate opens and another one after."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()
        self.times = 0

    async def do(self, tell: Tell) -> None:
        self.times += 1
        await tell("before")
        self.begun.set()
        await self.gate.wait()
        await tell("after")


async def test_who_comes_later_waits_and_is_told_all() -> None:
    once, work, first, second = Once(), Work(), Listener(), Listener()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(once.do("key", first.hear, work.do))
        await work.begun.wait()
        tasks.create_task(once.do("key", second.hear, work.do))
        work.gate.set()

    assert work.times == 1
    assert first.lines == second.lines == ["before", "after"]


async def test_one_who_gives_up_does_not_end_it_for_others() -> None:
    once, work, first, second = Once(), Work(), Listener(), Listener()
    impatient = asyncio.create_task(once.do("key", first.hear, work.do))
    await work.begun.wait()
    patient = asyncio.create_task(once.do("key", second.hear, work.do))
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    work.gate.set()
    await patient

    assert first.lines == ["before"]
    assert second.lines == ["before", "after"]


async def test_all_who_wait_are_told_that_it_failed_and_the_next_one_tries_again() -> None:
    once, work, listener = Once(), Work(), Listener()

    async def fail(tell: Tell) -> None:
        await work.do(tell)
        raise OSError("no more")

    waiting = [asyncio.create_task(once.do("key", listener.hear, fail)) for _ in range(2)]
    await work.begun.wait()
    work.gate.set()
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    with pytest.raises(OSError, match="no more"):
        await once.do("key", listener.hear, fail)

    assert [str(end) for end in ends] == ["no more", "no more"]
    assert work.times == 2


async def test_closing_ends_what_is_under_way() -> None:
    once, work = Once(), Work()
    waiting = asyncio.create_task(once.do("key", Listener().hear, work.do))
    await work.begun.wait()

    await once.close()

    with pytest.raises(asyncio.CancelledError):
        await waiting
