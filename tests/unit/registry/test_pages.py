"""Page tokens."""

from __future__ import annotations

import pytest

from foldline.domain.errors import FoldlineError
from foldline_registry import pages


def test_a_token_gives_back_the_key_behind_which_to_go_on() -> None:
    token = pages.encode(["assets", "lab"], ["team", "ümläut/?&"])

    assert pages.decode(token, ["assets", "lab"], keys=2) == ("team", "ümläut/?&")
    assert token.replace("-", "").replace("_", "").isalnum()


def test_no_token_means_the_first_page() -> None:
    assert pages.decode("", ["assets"], keys=2) == ("", "")


@pytest.mark.parametrize("token", ["x", "!!!", "ü", "bm90aGluZw", pages.encode(["assets"], ["one"])])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(FoldlineError, match="page_token: it is not one that was given out"):
        pages.decode(token, ["assets"], keys=2)


def test_a_token_of_another_list_is_refused() -> None:
    with pytest.raises(FoldlineError, match="it belongs to another list"):
        pages.decode(pages.encode(["assets", "lab"], ["a", "b"]), ["assets", "team"], keys=2)


def test_a_forged_key_that_the_database_cannot_take_is_refused() -> None:
    with pytest.raises(FoldlineError, match="it is not one that was given out"):
        pages.decode(pages.encode(["assets"], ["a\0", "b"]), ["assets"], keys=2)


def test_sizes_have_a_default_and_a_limit() -> None:
    assert (pages.size(0), pages.size(7), pages.size(10_000), pages.size(300, 100)) == (50, 7, 500, 100)
    with pytest.raises(FoldlineError, match="page_size is -1"):
        pages.size(-1)
