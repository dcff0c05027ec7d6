"""Which lines somebody wants."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.builders import NOON

from foldline.domain.errors import FoldlineError
from foldline.domain.work import LogEntry
from foldline_recorder.sieves import LONGEST, Sieve, sieve


def wanted(
    *, rank: int | None = None, since: datetime | None = None, search: str = "", pattern: str = ""
) -> Sieve:
    return sieve(rank=rank, since=since, search=search, pattern=pattern)


def line(text: str = "", **more: Any) -> LogEntry:
    return LogEntry(number=1, stream="stdout", text=text, **{"time": NOON, **more})


def test_without_wishes_everything_passes() -> None:
    assert wanted().is_open
    assert wanted().passes(line("x"))


def test_words_are_found_in_upper_and_lower_case_and_through_colours() -> None:
    found = wanted(search="CUDA Error")

    assert found.passes(line("a cuda error"))
    assert found.passes(line("\x1b[31mcuda\x1b[0m error"))
    assert not found.passes(line("cuda"))


def test_a_pattern_is_found_anywhere() -> None:
    found = wanted(pattern=r"loss=\d+\.\d$")

    assert found.passes(line("step 3 loss=0.5"))
    assert not found.passes(line("loss=0.55 "))


def test_rank_and_time_are_asked_for() -> None:
    assert not wanted(rank=1).passes(line())
    assert wanted(rank=1).passes(line(rank=1))
    assert wanted(since=NOON).passes(line())
    assert not wanted(since=NOON + timedelta(seconds=1)).passes(line())


def test_a_pattern_that_would_hang_other_engines_is_answered() -> None:
    assert not wanted(pattern="(a+)+$").passes(line("a" * 10_000 + "b"))


@pytest.mark.parametrize("pattern", ["(", r"(a)\1", "(?=a)", "x" * (LONGEST + 1)])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(FoldlineError):
        wanted(pattern=pattern)
