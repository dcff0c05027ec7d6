"""Lines of strangers on somebody's terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldline.execution.escapes import coloured, plain

RED = "\x1b[1;31mred\x1b[0m"

FRAGMENTS = st.sampled_from(
    ["\x1b", "[", "]", "0;", "m", "\x07", "\\", "P", "2J", "a", "é", "\x9b", "\x00", "\t"]
)


def test_ordinary_text_stays_as_it_is() -> None:
    text = "Épocha 1\t日本 ✓ {x: <b>}"

    assert plain(text) == coloured(text) == text


def test_colours_stay_only_where_they_are_asked_for() -> None:
    assert plain(f"is {RED}!") == "is red!"
    assert coloured(f"is {RED}!") == f"is {RED}!\x1b[0m"


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b[2J",  # clears the screen
        "\x1b[10;10H",  # moves the cursor
        "\x1b[?1049h",  # switches the screen
        "\x1b]0;title\x07",  # the window's title
        "\x1b]52;c;cm0gLXJmIC8=\x07",  # writes to the clipboard
        "\x1b]8;;http://evil\x1b\\",  # a link
        "\x1bP1$r0m\x1b\\",  # a question that is answered as if typed
        "\x1bc",  # reset
        "\x1b(0",  # another character set
    ],
)
def test_what_a_terminal_would_obey_is_taken_out(sequence: str) -> None:
    assert plain(f"a{sequence}b") == coloured(f"a{sequence}b") == "ab"


def test_other_control_characters_are_spelled_out() -> None:
    assert plain("a\x00b\x08\x7f\x9b2J") == "a\\x00b\\x08\\x7f\\x9b2J"
    assert plain("one\ntwo\r") == "one\\x0atwo\\x0d"
    assert plain("\u202egnp.exe") == "\\u202egnp.exe"


def test_a_sequence_that_does_not_end_is_spelled_out() -> None:
    assert plain("a\x1b]0;no end") == "a\\x1b]0;no end"


@given(st.one_of(st.text(), st.lists(FRAGMENTS, max_size=30).map("".join)))
def test_nothing_gets_through(text: str) -> None:
    control = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

    assert control.search(plain(text)) is None
    assert control.search(re.sub("\x1b\\[[0-9;:]*m", "", coloured(text))) is None
