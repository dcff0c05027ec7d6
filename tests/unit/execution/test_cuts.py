"""What is kept of a log that has no end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.builders import NOON

from foldline.execution.cuts import NOTE_LINES, TAIL_BYTES, TAIL_LINES, Cut, Limit, Timed
from foldline.runtime.jobs import Line


def kept(cut: Cut, *texts: str) -> list[str]:
    taken = (cut.take(Timed(Line("stdout", text), NOON)) for text in texts)
    return [one.line.text for one in taken if one is not None]


def last(cut: Cut) -> list[str]:
    return [one.line.text for one in cut.end()]


def numbered(count: int) -> list[str]:
    return [f"line {number}" for number in range(1, count + 1)]


def test_a_log_within_its_limit_is_kept_as_it_is() -> None:
    cut = Cut(Limit(lines=3))

    assert kept(cut, "a", "b", "c") == ["a", "b", "c"]
    assert last(cut) == []


def test_the_cut_is_told_at_its_place_and_what_is_left_out_is_counted() -> None:
    cut = Cut(Limit(lines=10))
    begin = kept(cut, *numbered(2000))
    end = last(cut)

    assert begin[:10] == numbered(10)
    assert begin[10:] == [
        "the log is cut here, at its limit of 10 lines; of what follows only the last lines are kept"
    ]
    assert end[0].startswith("990 lines (")
    assert end[0].endswith("were left out here")
    assert end[1:] == numbered(2000)[-TAIL_LINES:]


def test_bytes_are_limited_too() -> None:
    cut = Cut(Limit(bytes=10))

    begin = kept(cut, "1234", "ßß", "5")

    assert begin[:2] == ["1234", "ßß"]
    assert "10 bytes" in begin[2]
    assert last(cut) == ["5"]


def test_the_last_lines_are_bounded_in_bytes() -> None:
    cut = Cut(Limit(lines=0))
    kept(cut, *("x" * 10_000 for _ in range(200)))

    assert sum(map(len, last(cut))) <= TAIL_BYTES + 100


def test_lines_after_an_end_are_told_by_the_next_end() -> None:
    cut = Cut(Limit(lines=0))
    kept(cut, *numbered(5))
    first = last(cut)
    kept(cut, "afterwards")

    assert (first, last(cut)) == (numbered(5), ["afterwards"])


@given(st.integers(0, 50), st.integers(0, 3000))
def test_every_line_is_kept_or_counted(limit: int, count: int) -> None:
    cut = Cut(Limit(lines=limit))
    begin = [text for text in kept(cut, *numbered(count)) if text.startswith("line")]
    left_out = cut.left_out
    end = [text for text in last(cut) if text.startswith("line")]

    assert len(begin) + left_out + len(end) == count
    assert begin == numbered(count)[: len(begin)]
    assert end == numbered(count)[count - len(end) :]


def test_metrics_and_progress_do_not_use_up_the_limit() -> None:
    cut = Cut(Limit(lines=2))
    notes = [cut.take(Timed(Line("note", "{}"), NOON)) for _ in range(NOTE_LINES + 2)]

    assert [one.line.stream for one in notes if one is not None] == ["note"] * NOTE_LINES + ["system"]
    assert kept(cut, "a", "b") == ["a", "b"]
    assert last(cut) == []


def test_metrics_and_progress_after_the_cut_do_not_push_out_the_last_lines() -> None:
    cut = Cut(Limit(lines=1))
    kept(cut, "a", "why it failed")

    assert [cut.take(Timed(Line("note", "{}"), NOON)) for _ in range(TAIL_LINES)] == [None] * TAIL_LINES
    assert last(cut) == ["why it failed"]
