"""Background tasks end with their block, and errors come out of it plain."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from foldline.chassis import background


async def test_what_still_runs_is_cancelled_when_the_block_ends() -> None:
    cancelled = asyncio.Event()

    async def wait_for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with background.tasks() as tasks:
        tasks.create_task(wait_for_ever())
        await asyncio.sleep(0)

    assert cancelled.is_set()


async def test_an_error_of_the_block_leaves_as_it_is() -> None:
    async def block() -> None:
        async with background.tasks() as tasks:
            tasks.create_task(asyncio.Event().wait())
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await block()


async def test_an_error_of_a_task_ends_the_block_and_leaves_as_it_is() -> None:
    async def fail() -> None:
        raise KeyError("the task's")

    async def block() -> None:
        async with background.tasks() as tasks:
            tasks.create_task(fail())
            await asyncio.Event().wait()

    with pytest.raises(KeyError, match="the task's"):
        await block()


async def test_errors_of_several_tasks_leave_together() -> None:
    async def fail() -> None:
        raise KeyError

    async def fail_when_cancelled() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError

    async def block() -> None:
        async with background.tasks() as tasks:
            tasks.create_task(fail_when_cancelled())
            await asyncio.sleep(0)
            tasks.create_task(fail())
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as failed:
        await block()

    assert {type(error) for error in failed.value.exceptions} == {KeyError, ValueError}


async def test_cancelling_the_block_cancels_its_tasks() -> None:
    ended: list[str] = []

    async def wait_for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("task")

    async def block() -> None:
        async with background.tasks() as tasks:
            tasks.create_task(wait_for_ever())
            await asyncio.Event().wait()

    running = asyncio.create_task(block())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended == ["task"]


async def test_a_cancellation_that_was_swallowed_is_raised_by_who_asks() -> None:
    async def swallow() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        background.require_wanted()
        raise AssertionError("it went on")

    background.require_wanted()
    async with background.tasks() as tasks:
        task = tasks.create_task(swallow())
        await asyncio.sleep(0)

    assert task.cancelled()


async def test_a_task_that_swallows_its_cancellation_is_cancelled_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "AGAIN_SECONDS", 0.01)

    async def deaf() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async with background.tasks() as tasks:
        task = tasks.create_task(deaf())
        await asyncio.sleep(0)

    assert task.cancelled()
