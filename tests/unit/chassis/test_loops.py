from __future__ import annotations

import asyncio
import time

import pytest

from foldline.chassis import loops


async def test_a_loop_starts_at_once_and_ends_when_told() -> None:
    rounds: list[int] = []
    until = asyncio.Event()

    async def work() -> None:
        rounds.append(1)
        if len(rounds) == 3:
            until.set()

    async with asyncio.timeout(5):
        await loops.every(0.001, work, name="test", until=until)

    assert len(rounds) == 3


async def test_a_loop_does_nothing_when_it_is_over_already() -> None:
    until = asyncio.Event()
    until.set()

    async def work() -> None:
        raise AssertionError("not to be called")

    await loops.every(60, work, name="test", until=until)


async def test_a_loop_survives_a_failure() -> None:
    rounds: list[int] = []
    until = asyncio.Event()

    async def work() -> None:
        rounds.append(1)
        if len(rounds) < 3:
            raise OSError("no network")
        until.set()

    async with asyncio.timeout(5):
        await loops.every(0.001, work, name="test", until=until)

    assert len(rounds) == 3


async def test_being_told_to_end_cuts_the_pause_short() -> None:
    until = asyncio.Event()
    began = asyncio.Event()

    async def work() -> None:
        began.set()

    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(loops.every(3600, work, name="test", until=until))
        await began.wait()
        until.set()


async def test_cancelling_ends_a_loop_in_the_middle_of_its_work() -> None:
    began = asyncio.Event()

    async def work() -> None:
        began.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(loops.every(1, work, name="test", until=asyncio.Event()))
    await began.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("seconds", "failures", "expected"),
    [(1, 0, 1), (1, 1, 2), (1, 3, 8), (1, 100, 30), (60, 5, 60), (0.01, 1, 0.02)],
)
def test_pauses_double_with_each_failure_up_to_half_a_minute(
    seconds: float, failures: int, expected: float
) -> None:
    pauses = [loops.pause(seconds, failures) for _ in range(100)]

    assert min(pauses) >= expected * 0.9
    assert max(pauses) <= expected * 1.1
    assert len(set(pauses)) > 1


async def test_waiting_ends_with_the_event_or_with_the_time() -> None:
    event = asyncio.Event()

    assert not await loops.wait(event, 0.001)
    event.set()
    assert await loops.wait(event, 60)


async def test_the_first_of_several_events_ends_the_wait() -> None:
    one, other = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().call_soon(other.set)
    start = time.monotonic()

    await loops.wait_first(one, other, seconds=60)

    assert other.is_set()
    assert time.monotonic() - start < 30
