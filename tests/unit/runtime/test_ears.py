"""The pipes of a step's process, from its first line to its last."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence

import pytest

from foldline.runtime.ears import STREAMS, Ears
from foldline.runtime.jobs import Line


class Process:
    """What a process has of its pipes, and what the listener heard."""

    def __init__(self) -> None:
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in STREAMS]
        self.fds = [ear for ear, _ in pipes]
        self.mouths = dict(zip(STREAMS, (mouth for _, mouth in pipes), strict=True))
        for fd in self.fds:
            os.set_blocking(fd, False)
        self.has_failed = asyncio.Event()
        self.ears = Ears(self.fds, self.has_failed.set)
        self.heard: list[str] = []
        self.is_listener_free = asyncio.Event()
        self.is_listener_free.set()

    def say(self, text: str, stream: str = "stdout") -> None:
        os.write(self.mouths[stream], text.encode())

    def end(self) -> None:
        while self.mouths:
            os.close(self.mouths.popitem()[1])

    async def listen(self, lines: Sequence[Line]) -> None:
        await self.is_listener_free.wait()
        self.heard += [f"{line.stream}: {line.text}" for line in lines]

    def close(self) -> None:
        self.end()
        self.ears.close()
        for fd in self.fds:
            os.close(fd)


@pytest.fixture
async def process() -> AsyncIterator[Process]:
    process = Process()
    yield process
    await process.ears.rest()
    process.close()


async def until_idle() -> None:
    """The loop has gone round a few times."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_lines_arrive_while_the_process_runs(process: Process) -> None:
    process.ears.begin(process.listen)

    process.say("one\n")
    await until_idle()
    process.say("two\n", "stderr")
    await until_idle()

    assert process.heard == ["stdout: one", "stderr: two"]


async def test_all_that_was_said_before_the_end_is_heard(process: Process) -> None:
    process.ears.begin(process.listen)

    process.say("one\ntwo")
    process.say('{"progress": 1}\n', "note")
    process.end()
    await process.ears.end(5.0)

    assert sorted(process.heard) == ['note: {"progress": 1}', "stdout: one", "stdout: two"]


async def test_nothing_is_lost_or_mixed_up_when_the_end_comes_while_the_listener_is_busy(
    process: Process,
) -> None:
    process.ears.begin(process.listen)
    process.is_listener_free.clear()

    for number in range(3):
        process.say(f"line {number}\nand part of ")
        await until_idle()
    process.say("the last")
    process.end()
    ending = asyncio.create_task(process.ears.end(5.0))
    await until_idle()
    process.is_listener_free.set()
    await ending

    assert process.heard == [
        *("stdout: line 0", "stdout: and part of line 1", "stdout: and part of line 2"),
        "stdout: and part of the last",
    ]


async def test_a_process_that_goes_on_is_heard_to_the_end_of_each_attempt(process: Process) -> None:
    process.ears.begin(process.listen)
    process.say("first")
    await process.ears.finish()
    process.ears.begin(process.listen)
    process.say("second\n")
    await process.ears.finish()

    assert process.heard == ["stdout: first", "stdout: second"]


async def test_what_is_said_between_two_attempts_is_nobodys(process: Process) -> None:
    process.ears.begin(process.listen)
    await process.ears.finish()
    process.say("a ghost\n")
    await until_idle()
    process.say("another one\n")
    process.ears.begin(process.listen)
    process.say("mine\n")
    await process.ears.finish()

    assert process.heard == ["stdout: mine"]


async def test_an_error_of_the_listener_is_raised_at_the_end_and_told_at_once(process: Process) -> None:
    async def refuse(lines: Sequence[Line]) -> None:
        raise RuntimeError(f"no room for {len(lines)}")

    process.ears.begin(refuse)
    process.say("one\n")
    await process.has_failed.wait()
    process.end()

    with pytest.raises(RuntimeError, match="no room for 1"):
        await process.ears.end(5.0)


async def test_the_end_does_not_wait_for_ever_for_those_who_keep_a_pipe_open(process: Process) -> None:
    process.ears.begin(process.listen)
    process.say("one\n")

    await process.ears.end(0.05)

    assert process.heard == ["stdout: one"]


async def test_a_step_that_does_not_end_its_lines_has_been_heard(process: Process) -> None:
    process.ears.begin(process.listen)
    before = process.ears.heard

    process.say(".")
    await until_idle()

    assert process.heard == []
    assert process.ears.heard > before
