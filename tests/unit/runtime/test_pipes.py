"""Lines out of bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from foldline.runtime.pipes import LINE_LIMIT, Splitter


def split(*pieces: bytes) -> list[str]:
    splitter = Splitter()
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    return lines + splitter.end()


def test_lines_end_at_newlines() -> None:
    assert split(b"one\ntwo\n\nfour\n") == ["one", "two", "", "four"]


def test_the_last_line_needs_no_newline() -> None:
    assert split(b"one\ntw", b"o") == ["one", "two"]


def test_bytes_that_are_no_text_are_escaped() -> None:
    assert split(b"\xff\xfe ok \x00\n") == ["\\xff\\xfe ok \x00"]


def test_a_character_cut_between_two_reads_stays_whole() -> None:
    assert split("é".encode()[:1], "é".encode()[1:] + b"\n") == ["é"]


def test_a_very_long_line_is_cut_with_a_note() -> None:
    (line,) = split(b"x" * LINE_LIMIT, b"y" * 1000, b"z\n")

    assert line == "x" * LINE_LIMIT + " … [1001 more bytes cut]"


def test_a_long_line_in_one_piece_is_cut_alike() -> None:
    lines = split(b"a\n" + b"x" * (LINE_LIMIT + 5) + b"\nb\n")

    assert lines == ["a", "x" * LINE_LIMIT + " … [5 more bytes cut]", "b"]


def test_a_progress_bar_leaves_its_last_state() -> None:
    assert split(b"\r 10%", b"\r 50%\r", b"100%\r\nnext\r\n") == ["100%", "next"]


def test_memory_stays_bounded_without_any_newline() -> None:
    splitter = Splitter()

    for _ in range(1000):
        splitter.feed(b"x" * 65536)

    assert len(splitter._rest) == LINE_LIMIT


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_where_the_reads_fall_makes_no_difference(pieces: list[bytes]) -> None:
    assert split(*pieces) == split(b"".join(pieces))


PIECES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from([b"\r", b"\n", b"\r\n", b"\x00", b"\x1b[31m", b"\xff", "é".encode()]),
        st.integers(LINE_LIMIT - 2, LINE_LIMIT + 2).map(lambda size: b"x" * size),
    ),
    max_size=20,
)


@given(PIECES)
def test_as_many_lines_come_out_as_newlines_went_in(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    count = data.count(b"\n")

    assert len(split(*pieces)) in (count, count + 1)
    assert split(*pieces) == split(data)


@given(PIECES)
def test_every_line_can_be_kept_and_sent(pieces: list[bytes]) -> None:
    for line in split(*pieces):
        assert "\n" not in line
        assert len(line.encode()) <= 4 * LINE_LIMIT + 40


@given(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=200))
def test_text_comes_out_as_it_went_in(text: str) -> None:
    assert split(text.encode() + b"\n") == [text]


def test_a_bar_of_a_million_states_is_one_line_of_the_last() -> None:
    states = b"".join(b"\r%7d/1000000" % number for number in range(1_000_001))
    pieces = [states[start : start + 65_536] for start in range(0, len(states), 65_536)]

    assert split(*pieces, b"\n") == ["1000000/1000000"]
