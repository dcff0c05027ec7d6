"""Logs: the kept chunks and the live lines make one log, without gap and without a line that comes twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc
import msgspec
import pytest
from tests.integration.recorder.desk import Desk, read_all, refused
from tests.integration.recorder.stories import Story
from tests.unit.domain.graphs import NOW, condition, failure, function, graph, output, report
from tests.waiting import until

from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.bus import subjects
from foldline.domain.commands import ReceiveReport
from foldline.domain.spec import Retry
from foldline.domain.work import AttemptKey, LogChunk, LogEntry
from foldline.wire import work


class Writer:
    """Does with the log of an attempt what an executor does."""

    def __init__(self, desk: Desk, story: Story, attempt: int = 1) -> None:
        self._desk = desk
        self._key = AttemptKey(run_id=story.run_id, step="a", attempt=attempt)
        self._folder = f"logs/{story.run_id}/{attempt}/a"

    async def keep(self, numbers: Sequence[int], *, ranks: int = 1) -> None:
        entries = (msgspec.structs.replace(entry(number), rank=number % ranks) for number in numbers)
        lines = b"".join(msgspec.json.encode(one) + b"\n" for one in entries)
        await self._desk.artifacts.write_object(f"{self._folder}/{numbers[0]:012}.jsonl", lines)

    async def send(self, numbers: Sequence[int], *, end: bool = False) -> None:
        chunk = LogChunk(key=self._key, lines=tuple(map(entry, numbers)), end=end)
        subject = subjects.log(self._key.run_id, self._key.step, self._key.attempt)
        await self._desk.bus.publish(subject, work.encode(chunk))

    async def end(self) -> None:
        await self._desk.artifacts.write_object(f"{self._folder}/end.json", b"{}")


def entry(number: int) -> LogEntry:
    return LogEntry(number=number, time=NOW, stream="stdout", text=f"line {number}")


def ask(story: Story, step: str = "a", **more: object) -> pb.ReadLogRequest:
    return pb.ReadLogRequest(workspace="lab", run_id=story.run_id, step=step, **more)  # type: ignore[arg-type]


def numbers(answers: Sequence[pb.ReadLogResponse]) -> list[int]:
    return [line.number for answer in answers for line in answer.lines]


class Follower:
    """Follows a log in the background."""

    def __init__(self, desk: Desk, request: pb.ReadLogRequest) -> None:
        request.follow = True
        self.answers: list[pb.ReadLogResponse] = []
        self.task = asyncio.create_task(self._read(desk, request))

    async def _read(self, desk: Desk, request: pb.ReadLogRequest) -> None:
        async for answer in desk.stub.ReadLog(request):
            self.answers.append(answer)

    async def has(self, *expected: int) -> None:
        await until(lambda: numbers(self.answers) == list(expected))

    async def ended(self) -> list[int]:
        await asyncio.wait_for(self.task, 20)
        return numbers(self.answers)


@pytest.fixture
async def story(desk: Desk) -> Story:
    """A run whose step a has been scheduled."""
    story = Story(desk.store, graph(function("a", retry=Retry(max_attempts=2)), function("b", "a")))
    story.game.schedule()
    return await story.tell()


async def listening(desk: Desk, story: Story, follower: Follower) -> None:
    """Wait until the follower hears live lines: the first one that it gives out was kept by nobody."""
    writer = Writer(desk, story)

    async def heard() -> bool:
        await writer.send([1])
        return numbers(follower.answers) == [1]

    await until(heard)


async def test_the_kept_lines_come_with_time_stream_and_text(desk: Desk, story: Story) -> None:
    await Writer(desk, story).keep([1, 2])

    answers = await read_all(desk.stub.ReadLog(ask(story)))

    assert [(line.number, line.stream, line.text) for line in answers[0].lines] == [
        (1, "stdout", "line 1"),
        (2, "stdout", "line 2"),
    ]
    assert answers[0].attempt == 1
    assert answers[0].lines[0].time.ToDatetime(tzinfo=NOW.tzinfo) == NOW


async def test_reading_can_go_on_behind_any_line(desk: Desk, story: Story) -> None:
    writer = Writer(desk, story)
    for first in (1, 11, 21):
        await writer.keep(range(first, first + 10))

    for after in (0, 9, 10, 15, 29, 30, 31):
        answers = await read_all(desk.stub.ReadLog(ask(story, after_line=after)))
        assert numbers(answers) == list(range(after + 1, 31))


async def test_a_hundred_thousand_lines_come_in_messages_of_a_sensible_size(desk: Desk, story: Story) -> None:
    writer = Writer(desk, story)
    for first in range(1, 100_001, 20_000):
        await writer.keep(range(first, first + 20_000))

    answers = await read_all(desk.stub.ReadLog(ask(story)))

    assert numbers(answers) == list(range(1, 100_001))
    assert max(len(answer.lines) for answer in answers) <= 1000


async def test_live_lines_continue_the_kept_ones_without_gap_or_double(desk: Desk, story: Story) -> None:
    writer = Writer(desk, story)
    await writer.keep([1, 2, 3])
    follower = Follower(desk, ask(story))
    await follower.has(1, 2, 3)

    await writer.send([2, 3, 4])
    await writer.send([4, 5])
    await writer.keep([4, 5, 6])
    await writer.send([6, 7], end=True)

    assert await follower.ended() == [1, 2, 3, 4, 5, 6, 7]


async def test_lines_that_nobody_heard_are_found_in_the_store(desk: Desk, story: Story) -> None:
    writer = Writer(desk, story)
    follower = Follower(desk, ask(story))
    await listening(desk, story, follower)

    await writer.send([5, 6])
    await writer.keep([1, 2, 3, 4])
    await follower.has(1, 2, 3, 4, 5, 6)
    await writer.send([7], end=True)

    assert await follower.ended() == [1, 2, 3, 4, 5, 6, 7]


async def test_a_log_ends_when_its_end_is_in_the_store(desk: Desk, story: Story) -> None:
    writer = Writer(desk, story)
    follower = Follower(desk, ask(story))
    await listening(desk, story, follower)

    await writer.keep([1, 2])
    await writer.end()

    assert await follower.ended() == [1, 2]


async def test_a_log_ends_when_the_attempt_is_over(desk: Desk, story: Story) -> None:
    writer = Writer(desk, story)
    follower = Follower(desk, ask(story))
    await listening(desk, story, follower)

    await writer.keep([1, 2])
    story.game.play(ReceiveReport(report("a", 1, "succeeded", log_lines=2)))
    await story.tell()

    assert await follower.ended() == [1, 2]


async def test_a_log_whose_executor_vanished_ends_with_what_there_is(desk: Desk, story: Story) -> None:
    follower = Follower(desk, ask(story))
    await listening(desk, story, follower)

    story.game.fail("a", failure("lost"))
    await story.tell()

    assert await follower.ended() == [1]


async def test_following_waits_for_an_attempt_that_has_not_begun(desk: Desk, story: Story) -> None:
    newest_of_b = Follower(desk, ask(story, step="b"))
    second = Follower(desk, ask(story, attempt=2))

    story.game.fail("a")
    story.game.wait(10)
    story.game.schedule()
    await story.tell()
    writer = Writer(desk, story, attempt=2)
    await writer.keep([1])
    await writer.end()

    assert await second.ended() == [1]
    assert second.answers[0].attempt == 2
    story.game.fail("a")
    await story.tell()
    assert await newest_of_b.ended() == []


async def test_without_following_a_log_that_has_not_begun_is_empty(desk: Desk, story: Story) -> None:
    assert await read_all(desk.stub.ReadLog(ask(story, step="b"))) == []


async def test_the_newest_attempt_is_read_unless_another_is_named(desk: Desk, story: Story) -> None:
    await Writer(desk, story, 1).keep([1])
    story.game.fail("a")
    story.game.wait(10)
    story.game.schedule()
    await story.tell()
    await Writer(desk, story, 2).keep([1, 2])

    newest = await read_all(desk.stub.ReadLog(ask(story)))
    first = await read_all(desk.stub.ReadLog(ask(story, attempt=1)))

    assert (newest[0].attempt, numbers(newest)) == (2, [1, 2])
    assert (first[0].attempt, numbers(first)) == (1, [1])


async def test_one_of_several_ranks_can_be_read_alone(desk: Desk) -> None:
    several = msgspec.structs.replace(function("a"), ranks=2)
    story = Story(desk.store, graph(several))
    story.game.schedule()
    await story.tell()
    await Writer(desk, story).keep(range(1, 7), ranks=2)

    together = await read_all(desk.stub.ReadLog(ask(story)))
    second = await read_all(desk.stub.ReadLog(ask(story, rank=1)))
    first = await read_all(desk.stub.ReadLog(ask(story, rank=0, after_line=2)))

    assert [(line.number, line.rank) for line in together[0].lines][:3] == [(1, 1), (2, 0), (3, 1)]
    assert together[0].ranks == 2
    assert numbers(second) == [1, 3, 5]
    assert numbers(first) == [4, 6]


async def test_what_has_no_log_is_named_with_what_has_one(desk: Desk) -> None:
    declared = graph(function("a"), condition("is_good", output("a"), ">", 1))
    story = await Story(desk.store, declared).tell()

    unknown = await refused(read_all(desk.stub.ReadLog(ask(story, step="c"))), grpc.StatusCode.NOT_FOUND)
    attempt = await refused(read_all(desk.stub.ReadLog(ask(story, attempt=3))), grpc.StatusCode.NOT_FOUND)
    decided = await refused(
        read_all(desk.stub.ReadLog(ask(story, step="is_good"))), grpc.StatusCode.FAILED_PRECONDITION
    )

    assert unknown.endswith("has no step c; it has a, is_good")
    assert attempt == "step a has no attempt 3; it has had 0"
    assert decided.startswith("step is_good is a condition;")


async def test_a_follower_that_goes_away_stops_listening(desk: Desk, story: Story) -> None:
    follower = Follower(desk, ask(story))
    await listening(desk, story, follower)

    follower.task.cancel()

    await until(lambda: _subscriptions() == 0)


def _subscriptions() -> int:
    return sum(task.get_name().startswith("bus-foldline.log.") for task in asyncio.all_tasks())
