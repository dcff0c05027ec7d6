"""The live end of a log: in order, without doubles, bounded."""

from __future__ import annotations

from tests.builders import NOON

from foldline.bus.port import Message
from foldline.domain.work import AttemptKey, LogChunk, LogEntry
from foldline.wire import work
from foldline_recorder.tail import LARGEST, Tail


async def receive(tail: Tail, *numbers: int, end: bool = False) -> None:
    lines = tuple(LogEntry(number=number, time=NOON, stream="stdout") for number in numbers)
    chunk = LogChunk(key=AttemptKey(run_id="r", step="a", attempt=1), lines=lines, end=end)
    await tail._receive(Message("foldline.log.r.1.a", work.encode(chunk)))


def take(tail: Tail, after: int) -> list[int]:
    return [line.number for line in tail.take(after)]


async def test_lines_are_given_out_up_to_the_first_gap() -> None:
    tail = Tail()
    await receive(tail, 3, 4, 5)
    await receive(tail, 8, 9)

    assert take(tail, 3) == [4, 5]
    assert tail.first() == 8
    assert take(tail, 7) == [8, 9]
    assert tail.first() is None


async def test_lines_that_came_twice_are_given_out_once() -> None:
    tail = Tail()
    await receive(tail, 1, 2, 3)
    await receive(tail, 2, 3, 4)

    assert take(tail, 0) == [1, 2, 3, 4]


async def test_lines_that_nobody_takes_are_let_go() -> None:
    tail = Tail()
    for first in range(1, 2 * LARGEST, 1000):
        await receive(tail, *range(first, first + 1000))

    assert take(tail, 0) == []
    assert tail.first() == LARGEST + 1


async def test_the_end_is_known_by_the_last_line_it_names() -> None:
    tail = Tail()
    await receive(tail, 1, 2, end=True)

    assert not tail.is_at_end(1)
    assert tail.is_at_end(2)
    assert tail.takes_end()
    assert not tail.takes_end()


async def test_an_end_without_lines_says_only_that_the_store_has_all() -> None:
    tail = Tail()
    await receive(tail, 1, 2)
    await receive(tail, end=True)

    assert tail.takes_end()
    assert not tail.is_at_end(2)
