"""What is said about a job between here and another place."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from foldline.runtime import remote
from foldline.runtime.jobs import Job, Line, Outcome, Product, StepFailure
from foldline.runtime.port import OnLines, OnStarted
from foldline.runtime.remote import Desk, Message

FAILURE = StepFailure(kind="user", reason="STEP_RAISED", message="no", traceback="t")


class Talker:
    """A backend whose attempts say many lines, and end as told."""

    def __init__(self, lines: int, outcome: Outcome) -> None:
        self.lines = lines
        self.said = 0
        self.outcome = outcome
        self.is_cancelled = False

    async def run(self, job: Job, on_lines: OnLines, on_started: OnStarted | None = None) -> Outcome:
        if on_started is not None:
            on_started()
        try:
            while self.said < self.lines:
                self.said += 1
                await on_lines([Line("stdout", str(self.said))])
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise
        return self.outcome

    def stop(self, key: str, grace_seconds: float | None = None, *, forced: bool = False) -> bool:
        return True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


def job(folder: Path) -> Job:
    return Job(key="r/s/1", python=Path("python"), bundle=folder, folder=folder)


async def told(desk: Desk, key: str) -> AsyncIterator[Message]:
    """As it comes over the wire: as JSON."""
    while True:
        for message in await desk.messages(key):
            yield json.loads(json.dumps(message))
            if "ended" in message:
                return


async def test_all_lines_and_the_outcome_arrive(tmp_path: Path) -> None:
    product = Product(type="int", encoding="json", text="1")
    outcome = Outcome(outputs={"output": product}, reads=("sha256:a",), seconds=1.5, max_rss_bytes=7)
    desk, heard, started = Desk(Talker(1000, outcome)), list[Line](), list[str]()

    async def hear(lines: Sequence[Line]) -> None:
        heard.extend(lines)

    desk.begin(job(tmp_path))
    found = await remote.hear(told(desk, "r/s/1"), job(tmp_path), hear, lambda: started.append("once"))

    assert found == outcome
    assert heard == [Line("stdout", str(number)) for number in range(1, 1001)]
    assert started == ["once"]


async def test_a_failure_arrives_with_all_that_is_known(tmp_path: Path) -> None:
    desk = Desk(Talker(0, Outcome(failure=FAILURE)))
    desk.begin(job(tmp_path))

    async def hear(lines: Sequence[Line]) -> None:
        raise AssertionError

    assert (await remote.hear(told(desk, "r/s/1"), job(tmp_path), hear, None)).failure == FAILURE


async def test_who_does_not_listen_makes_the_step_wait(tmp_path: Path) -> None:
    talker = Talker(100_000, Outcome())
    desk = Desk(talker)
    desk.begin(job(tmp_path))

    await desk.messages("r/s/1")
    for _ in range(1000):
        await asyncio.sleep(0)

    assert talker.said < 100
    await desk.kill("r/s/1")
    assert talker.is_cancelled


async def test_messages_that_end_early_mean_that_the_place_is_lost(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[Message]:
        yield {"started": True}

    async def hear(lines: Sequence[Line]) -> None:
        raise AssertionError

    outcome = await remote.hear(broken(), job(tmp_path), hear, None)

    assert outcome.failure is not None
    assert outcome.failure.kind == "infrastructure"


@pytest.mark.parametrize("file", ["/etc/passwd", "../secret", "link/secret"])
async def test_no_message_makes_us_read_what_is_not_the_jobs(tmp_path: Path, file: str) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    product = Product(type="file", encoding="file", file=folder / file)
    desk = Desk(Talker(0, Outcome(outputs={"output": product})))
    desk.begin(job(folder))

    async def hear(lines: Sequence[Line]) -> None:
        raise AssertionError

    outcome = await remote.hear(told(desk, "r/s/1"), job(folder), hear, None)

    assert not outcome.outputs
    assert outcome.failure is not None
    assert outcome.failure.reason == "OUTPUT_OUTSIDE"
