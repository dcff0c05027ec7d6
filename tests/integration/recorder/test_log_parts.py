"""Parts of logs: the newest lines, since a time, what is searched for, page by page; and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import grpc
import msgspec
import pytest
from tests.integration.recorder.desk import Desk, read_all, refused
from tests.integration.recorder.stories import Story
from tests.integration.recorder.test_logs import Follower, Writer, ask, listening, numbers, story
from tests.memory import Peak
from tests.unit.domain.graphs import NOW, failure, report
from tests.waiting import until

from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.domain.commands import ReceiveReport
from foldline.domain.work import LogEntry

__all__ = ["story"]

MEGABYTE = 1024 * 1024


async def keep(desk: Desk, story: Story, count: int, size: int = 100, padding: str = "") -> None:
    """Lines from 1 to `count`, a second apart, every tenth of them an error, in pieces."""
    for first in range(1, count + 1, size):
        lines = b"".join(
            msgspec.json.encode(
                LogEntry(
                    number=number,
                    time=NOW + timedelta(seconds=number),
                    stream="stdout",
                    text=f"{'Error' if number % 10 == 0 else 'line'} {number}{padding}",
                )
            )
            + b"\n"
            for number in range(first, min(first + size, count + 1))
        )
        await desk.artifacts.write_object(f"logs/{story.run_id}/1/a/{first:012}.jsonl", lines)


async def read(desk: Desk, story: Story, **more: Any) -> list[int]:
    since = more.pop("since", None)
    request = ask(story, **more)
    if since is not None:
        request.since.FromDatetime(since)
    return numbers(await read_all(desk.stub.ReadLog(request)))


def span(first: int, last: int, step: int = 1) -> list[int]:
    return list(range(first, last + 1, step))


@pytest.mark.parametrize("tail", [1, 99, 100, 101, 250, 1000])
async def test_the_newest_lines(desk: Desk, story: Story, tail: int) -> None:
    await keep(desk, story, 950)

    assert await read(desk, story, tail=tail) == span(max(1, 951 - tail), 950)


@pytest.mark.parametrize("second", [0, 1, 2, 100, 101, 555, 950, 951])
async def test_lines_since_a_time(desk: Desk, story: Story, second: int) -> None:
    await keep(desk, story, 950)

    assert await read(desk, story, since=NOW + timedelta(seconds=second)) == span(max(1, second), 950)


async def test_lines_with_a_text_or_a_pattern_in_them(desk: Desk, story: Story) -> None:
    await keep(desk, story, 950)

    assert await read(desk, story, search="eRRor") == span(10, 950, 10)
    assert await read(desk, story, pattern=r"^Error \d\d$") == span(10, 90, 10)
    assert await read(desk, story, pattern="5$", search="line 94") == [945]
    assert await read(desk, story, search="nowhere") == []


async def test_wishes_go_together(desk: Desk, story: Story) -> None:
    await keep(desk, story, 950)

    assert await read(desk, story, search="error", tail=3) == [930, 940, 950]
    assert await read(desk, story, search="error", tail=2, before_line=930) == [910, 920]
    assert await read(desk, story, search="error", tail=99, after_line=920) == [930, 940, 950]
    assert await read(desk, story, after_line=10, before_line=14) == [11, 12, 13]
    late = NOW + timedelta(seconds=935)
    assert await read(desk, story, search="error", since=late) == [940, 950]
    assert await read(desk, story, search="error", since=late, tail=1) == [950]


@pytest.mark.parametrize("more", [{}, {"search": "error"}, {"search": "nowhere"}])
async def test_page_by_page_every_line_comes_once(desk: Desk, story: Story, more: dict[str, str]) -> None:
    await keep(desk, story, 250)
    pages: list[list[int]] = []
    after, has_more = 0, True

    while has_more:
        answers = await read_all(desk.stub.ReadLog(ask(story, after_line=after, limit=9, **more)))
        pages.append(numbers(answers))
        after, has_more = answers[-1].last_line, answers[-1].more

    assert all(len(page) == 9 for page in pages[:-1])
    assert [number for page in pages for number in page] == await read(desk, story, **more)
    assert after == 250


async def test_the_newest_are_followed_by_what_comes(desk: Desk, story: Story) -> None:
    await keep(desk, story, 250)
    follower = Follower(desk, ask(story, tail=2))
    await follower.has(249, 250)

    writer = Writer(desk, story)
    await writer.send([250, 251, 252], end=True)

    assert await follower.ended() == [249, 250, 251, 252]


async def test_what_is_followed_is_searched_too(desk: Desk, story: Story) -> None:
    await keep(desk, story, 20)
    follower = Follower(desk, ask(story, search="line 2"))
    await follower.has(2)

    await Writer(desk, story).send(span(21, 39), end=True)

    assert await follower.ended() == [2, *span(21, 29)]


async def test_a_slow_reader_gets_every_line_once(desk: Desk, story: Story) -> None:
    """It falls behind what is live by much more than is remembered for it, and catches up from the store."""
    request = ask(story)
    request.follow = True
    call = desk.stub.ReadLog(request)
    writer = Writer(desk, story)
    await writer.keep([1])
    first = await call.read()
    assert isinstance(first, pb.ReadLogResponse)
    assert numbers([first]) == [1]

    for start in range(2, 200_000, 1000):
        await writer.send(span(start, start + 999))
        await writer.keep(span(start, start + 999))
    await writer.end()
    rest = await read_all(call)

    assert numbers(rest) == span(2, 200_001)


async def test_a_million_lines_are_searched_in_bounded_memory(desk: Desk, story: Story) -> None:
    await keep(desk, story, 1_000_000, 2500)
    await read(desk, story, tail=1)
    peak = Peak()

    assert await read(desk, story, search="Error 999990") == [999_990]
    assert await read(desk, story, tail=2, pattern="[05]$") == [999_995, 1_000_000]
    count = 0
    async for answer in desk.stub.ReadLog(ask(story)):
        for line in answer.lines:
            count += 1
            assert line.number == count

    assert count == 1_000_000
    assert peak.growth < 64 * MEGABYTE


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"pattern": "("}, "is no regular expression in the syntax of RE2"),
        ({"pattern": r"(a)\1"}, "is no regular expression in the syntax of RE2"),
        ({"search": "x" * 1001}, "search has 1001 characters; 1000 are allowed"),
        ({"follow": True, "limit": 3}, "what is followed has no end"),
        ({"tail": 1, "limit": 3}, "tail and limit cannot be together"),
        ({"tail": -1}, "tail is -1"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    desk: Desk, story: Story, more: dict[str, Any], said: str
) -> None:
    call = read_all(desk.stub.ReadLog(ask(story, **more)))

    assert said in await refused(call, grpc.StatusCode.INVALID_ARGUMENT)


async def test_a_log_that_was_lost_with_its_executor_says_so(desk: Desk, story: Story) -> None:
    await Writer(desk, story).keep([1, 2])
    assert missing(await read_all(desk.stub.ReadLog(ask(story)))) == [""]
    story.game.fail("a", failure("lost"))
    await story.tell()
    story.game.wait(10)
    story.game.schedule()
    await story.tell()
    await Writer(desk, story, 2).keep([1, 2, 3])

    first = await read_all(desk.stub.ReadLog(ask(story, attempt=1)))
    second = await read_all(desk.stub.ReadLog(ask(story, attempt=2)))

    assert numbers(first) == [1, 2]
    assert missing(first)[-1] == "the executor of this attempt was lost; what it wrote last may be missing"
    assert (numbers(second), set(missing(second))) == ([1, 2, 3], {""})


async def test_lines_that_the_record_knows_of_and_nobody_has_are_told(desk: Desk, story: Story) -> None:
    await Writer(desk, story).keep([1, 2])
    story.game.play(ReceiveReport(report("a", 1, "succeeded", log_lines=5)))
    await story.tell()

    assert missing(await read_all(desk.stub.ReadLog(ask(story))))[-1] == "lines 3 to 5 are missing"
    assert missing(await read_all(desk.stub.ReadLog(ask(story, limit=1)))) == ["", ""]


async def test_a_gap_is_told_where_it_is(desk: Desk, story: Story) -> None:
    follower = Follower(desk, ask(story))
    await listening(desk, story, follower)

    await Writer(desk, story).send([5, 6])
    await until(lambda: numbers(follower.answers) == [1, 5, 6], timeout=20)
    await Writer(desk, story).send([7], end=True)

    assert await follower.ended() == [1, 5, 6, 7]
    assert [said for said in missing(follower.answers) if said] == ["lines 2 to 4 are missing"]


def missing(answers: Sequence[pb.ReadLogResponse]) -> list[str]:
    return [answer.missing for answer in answers]
