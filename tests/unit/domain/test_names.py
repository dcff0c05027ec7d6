"""The rules of names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from foldline.domain import names
from foldline.domain.errors import FoldlineError, Kind

TAKEN_APART = ["", "a.b", "a/b", "a b", "a*", "a>", "9a", "-a", "ä", "a\n", "x" * 65]


@pytest.mark.parametrize("name", ["a", "team-9", "x" * 64])
def test_a_slug_names_workspaces_and_regions(name: str) -> None:
    assert names.workspace(name) == name
    assert names.region(name) == name


@pytest.mark.parametrize("name", ["a", "Digits_2", "train-model", "x" * 64])
def test_workflows_and_assets_may_also_have_capitals_and_underscores(name: str) -> None:
    assert names.workflow(name) == name
    assert names.asset(name) == name
    assert names.agreement(name) == name


@pytest.mark.parametrize("name", TAKEN_APART)
@pytest.mark.parametrize(
    "rule", [names.workspace, names.region, names.workflow, names.asset, names.agreement, names.digest]
)
def test_no_name_holds_what_would_take_a_stream_or_a_subject_apart(
    rule: Callable[[str], str], name: str
) -> None:
    with pytest.raises(FoldlineError) as caught:
        rule(name)

    assert caught.value.kind is Kind.INVALID
    assert caught.value.reason == "ILLEGAL_NAME"


def test_the_error_names_the_thing_and_the_rule() -> None:
    with pytest.raises(FoldlineError, match=r"workspace 'Team': a name has 1 to 64 characters, a lower-case"):
        names.workspace("Team")


def test_a_long_name_is_cut_in_the_error() -> None:
    with pytest.raises(FoldlineError) as caught:
        names.workspace("x" * 100_000)

    assert len(caught.value.message) < 300


def test_subjects_are_free_text_on_one_line() -> None:
    assert names.subject("Ada Lovelace <ada@example.org>") == "Ada Lovelace <ada@example.org>"
    for text in ("", " ", "a\nb", " a", "a ", "x" * 201):
        with pytest.raises(FoldlineError):
            names.subject(text)
