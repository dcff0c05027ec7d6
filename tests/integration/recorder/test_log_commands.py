"""`foldline logs` and `foldline metrics` against a recorder."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import msgspec
import pytest
from tests.integration.recorder.desk import Desk, token
from tests.integration.recorder.stories import Story
from tests.integration.recorder.test_metrics import keep
from tests.unit.domain.graphs import NOW, failure, function, graph

from foldline.domain.work import LogEntry
from foldline.execution.series import SeriesKey

TEXTS = ("one", "\x1b[31mtwo\x1b[0m", "\x1b]52;c;cm0=\x07three\x00", "FOUR", "five")


@pytest.fixture
async def story(desk: Desk) -> Story:
    story = Story(desk.store, graph(msgspec.structs.replace(function("a"), ranks=2)))
    story.game.schedule()
    await story.tell()
    lines = [
        LogEntry(number=number, time=NOW, stream="stdout", text=text, rank=number % 2)
        for number, text in enumerate(TEXTS, 1)
    ]
    lines.append(LogEntry(number=6, time=NOW, stream="system", text="said by us"))
    content = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    await desk.artifacts.write_object(f"logs/{story.run_id}/1/a/{1:012}.jsonl", content)
    return story


async def call(desk: Desk, *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    environ = {
        "PATH": os.defpath,
        "HOME": str(Path.cwd()),
        "FOLDLINE_SERVER": desk.address,
        "FOLDLINE_TOKEN": token({"lab": "viewer"}),
        "FOLDLINE_WORKSPACE": "lab",
    }
    code = "from foldline.cli.main import main; main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *words, env=environ, stdout=-1, stderr=-1
    )
    out, error = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), error.decode()


async def lines(desk: Desk, *words: str) -> list[str]:
    code, out, error = await call(desk, *words)
    assert code == 0, error
    return out.splitlines()


async def test_a_log_is_shown_safely_with_the_ranks_of_its_lines(desk: Desk, story: Story) -> None:
    shown = ["1 | one", "0 | two", "1 | three\\x00", "0 | FOUR", "1 | five", "[said by us]"]

    assert await lines(desk, "logs", story.run_id, "a") == shown
    assert await lines(desk, "logs", story.run_id, "--step", "a", "--tail", "2") == shown[-2:]


async def test_a_log_is_searched_and_cut_to_what_is_asked_for(desk: Desk, story: Story) -> None:
    assert await lines(desk, "logs", story.run_id, "a", "--rank", "1") == ["one", "three\\x00", "five"]
    assert await lines(desk, "logs", story.run_id, "a", "--search", "four") == ["0 | FOUR"]
    assert await lines(desk, "logs", story.run_id, "a", "--pattern", "^t[wh]", "--tail", "1") == [
        "1 | three\\x00"
    ]
    assert await lines(desk, "logs", story.run_id, "a", "--since", "2999-01-01") == []
    assert len(await lines(desk, "logs", story.run_id, "a", "--since", "99999d")) == 6


async def test_json_has_every_character_of_a_line(desk: Desk, story: Story) -> None:
    found = [json.loads(line) for line in await lines(desk, "logs", story.run_id, "a", "--json")]

    assert [one["text"] for one in found[:5]] == list(TEXTS)
    assert found[0]["rank"] == 1


async def test_what_was_lost_is_said(desk: Desk, story: Story) -> None:
    story.game.fail("a", failure("lost"))
    await story.tell()

    assert (await lines(desk, "logs", story.run_id, "a"))[-1].startswith("[the executor of this attempt was")
    found = await lines(desk, "logs", story.run_id, "a", "--json")
    assert list(json.loads(found[-1])) == ["missing"]


async def test_a_wrong_pattern_or_time_is_explained(desk: Desk, story: Story) -> None:
    for words, said in (
        (("--pattern", "("), "is no regular expression"),
        (("--since", "soon"), "is no moment"),
        (("--step", "b"), "name one step"),
    ):
        code, _, error = await call(desk, "logs", story.run_id, "a", *words)
        assert code != 0
        assert said in error


async def test_series_are_shown_as_a_table_with_their_course(desk: Desk, story: Story) -> None:
    await keep(desk, story, [4.0, 2.0, 1.0, 0.5])
    await keep(desk, story, [0.25, 1.0], key=SeriesKey("progress"), first=5)

    shown = [line.split() for line in await lines(desk, "metrics", story.run_id)]
    one = [line.split() for line in await lines(desk, "metrics", story.run_id, "loss", "--buckets", "2")]
    none = await lines(desk, "metrics", story.run_id, "accuracy", "--step", "a")

    assert shown == [
        ["STEP", "ATTEMPT", "METRIC", "POINTS", "LAST", "MIN", "MAX", "AT", "COURSE"],
        ["a", "1", "loss", "4", "0.5", "0.5", "4", "3", "█▄▂▁"],
        ["a", "1", "(progress)", "2", "1", "0.25", "1", "5", "▁█"],
    ]
    assert one[1:] == [
        ["a", "1", "loss", "0–1", "2", "2", "4", "2"],
        ["a", "1", "loss", "2–3", "2", "0.5", "1", "0.5"],
    ]
    assert none == ["no metric accuracy"]


async def test_series_come_as_json(desk: Desk, story: Story) -> None:
    await keep(desk, story, [4.0, 2.0])

    code, out, error = await call(desk, "metrics", story.run_id, "loss", "--json")

    assert (code, error) == (0, "")
    (found,) = json.loads(out)
    assert found["whole"]["points"] == 2
    assert [bucket["last"] for bucket in found["buckets"]] == [4.0, 2.0]
